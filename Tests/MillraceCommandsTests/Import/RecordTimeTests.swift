import MillraceEvent
import Testing

@testable import MillraceCommands

struct RecordTimeTests {
    @Test(arguments: [
        ("\"2025-12-28T10:00:00\"", "2025-12-28T10:00:00.000000Z"),
        ("\"2025-12-28 10:00:00.5\"", "2025-12-28T10:00:00.500000Z"),
        ("\"2025-12-28T10:00:00.123456+02:00\"", "2025-12-28T08:00:00.123456Z"),
        ("\"2025-12-28 10:00:00+0530\"", "2025-12-28T04:30:00.000000Z"),
        ("\"2025-12-28 10:00:00 +00\"", "2025-12-28T10:00:00.000000Z"),
        ("\"2025-12-28T10:00Z\"", "2025-12-28T10:00:00.000000Z"),
        ("\"2024-02-29\"", "2024-02-29T00:00:00.000000Z"),
        ("1766916000000", "2025-12-28T10:00:00.000000Z"),
        ("1766916000", "2025-12-28T10:00:00.000000Z"),
        ("1766916000.25", "2025-12-28T10:00:00.250000Z"),
        ("\"1969-12-31T23:59:59.999999Z\"", "1969-12-31T23:59:59.999999Z"),
        ("\"2025-12-28T10:00:00.1234567Z\"", "2025-12-28T10:00:00.123457Z"),
    ])
    func `times as exports write them`(text: String, time: String) throws {
        #expect(RecordTime.parse(Array(text.utf8)[...])?.rfc3339 == time)
    }

    @Test(arguments: [
        "\"\"", "\"yesterday\"", "\"2025-02-29\"", "\"2025-13-01\"", "\"2025-12-28T24:00:00Z\"",
        "\"2025-12-28T10:00:61Z\"",
        "\"2025-12-28T10:00:00.Z\"", "\"2025-12-28T10:00:00Zx\"", "\"2025-12-28T10:00:00+25:00\"", "{}", "[]", "true",
        "1e300", "99999999999999999999999",
    ])
    func `what is no time`(text: String) {
        #expect(RecordTime.parse(Array(text.utf8)[...]) == nil)
    }

    @Test func `a month starts at its first instant, and only there`() {
        for (time, start) in [
            ("2025-12-28", "2026-01-01"), ("2025-12-01", "2025-12-01"), ("2024-02-29", "2024-03-01"),
        ] {
            let from = RecordTime.text(time).map { RecordTime.monthStart(from: $0) }
            #expect(from == RecordTime.text(start))
        }
    }
}
