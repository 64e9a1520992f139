import MillraceProjections
import Testing

struct EventTypePatternTests {
    @Test(arguments: [
        ("*", "order.placed", true), ("order.*", "order.placed", true), ("order.*", "order", false),
        ("order.*", "orders.placed", false), ("order.placed", "order.placed", true),
        ("order.placed", "order.placed.twice", false),
    ])
    func `a pattern takes the types it names`(pattern: String, type: String, isTaken: Bool) throws {
        #expect(try #require(EventTypePattern(pattern)).matches(type) == isTaken)
    }

    @Test(arguments: ["", "or*der", "*.placed", ".*", "order*"])
    func `a star stands alone or after a dot at the end`(pattern: String) {
        #expect(EventTypePattern(pattern) == nil)
    }
}
