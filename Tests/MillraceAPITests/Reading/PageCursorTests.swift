import MillraceEvent
import Testing

@testable import MillraceAPI

struct PageCursorTests {
    @Test(arguments: [[], ["a"], [nil, "é\u{0}\"", ""], Array(repeating: "x", count: 50)])
    func `a cursor comes back as it was`(_ values: [String?]) {
        let key = CursorKey()
        let question = PageCursor.Question(text: "q", key: key)
        let text = PageCursor(values).text(question: question)
        #expect(PageCursor(text, question: question)?.values == values)
        #expect(PageCursor(text, question: .init(text: "r", key: key)) == nil)
        #expect(PageCursor(text, question: .init(text: "q", key: CursorKey())) == nil)
        #expect(PageCursor(text + "A", question: question) == nil)
        #expect(PageCursor(String(text.dropLast()), question: question) == nil)
        for index in text.indices {
            var changed = text
            changed.replaceSubrange(index...index, with: text[index] == "A" ? "B" : "A")
            #expect(PageCursor(changed, question: question) == nil)
        }
    }

    @Test(arguments: [
        ("1970-01-01T00:00:00Z", 0), ("1970-01-01", 0), ("2026-11-21T10:00:00.5+02:00", 1_795_248_000_500_000),
        ("2000-02-29t12:00:00z", 951_825_600_000_000), ("1700000000123", 1_700_000_000_123_000),
        ("-1000", -1_000_000), ("0001-01-01", -62_135_596_800_000_000),
    ])
    func `times are read`(_ text: String, _ microseconds: Int64) {
        #expect(TimeText.parse(text)?.microseconds == microseconds)
    }

    @Test(arguments: [
        "", "now", "+1000", "9223372036854775807", "2026-13-01", "2026-02-29", "2026-11-21T10:00:00",
        "2026-11-21T24:00:00Z", "2026-11-21T10:00Z",
        "999999999999999", "0000-01-01", "2026-11-21T10:00:00+2:00", "1e3", "2026-11-21T10:00:00Z ", "infinity",
    ])
    func `what is no time is refused`(_ text: String) {
        #expect(TimeText.parse(text) == nil)
    }

    @Test func `an identity cache forgets the oldest, and asks again for what is old`() {
        var cache = IdentityCache(entriesMax: 2, lifetime: .seconds(10))
        let now = ContinuousClock.now
        let anne = IdentityUser(email: "a", firstName: "", lastName: "", plan: "pro")
        cache.loaded(["a", "b"], ["a": anne], at: now)
        #expect(cache.user("a") == .some(anne))
        #expect(cache.user("b") == .some(nil))
        #expect(cache.missing(["a", "b", "c"], at: now) == ["c"])
        cache.loaded(["c"], [:], at: now + .seconds(5))
        #expect(cache.user("a") == nil && cache.count == 2)
        #expect(cache.missing(["b", "c"], at: now + .seconds(12)) == ["b"])
        for _ in 0..<100 { cache.loaded(["b", "c"], [:], at: now) }
        #expect(cache.count == 2)
    }
}
