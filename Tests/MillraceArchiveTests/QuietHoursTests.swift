import MillraceArchive
import MillracePostgres
import Testing

struct QuietHoursTests {
    private func instant(_ hour: Int64, _ minute: Int64) -> Int64 {
        (20_000 * 86_400 + hour * 3600 + minute * 60) * 1_000_000
    }

    @Test func `quiet hours are a part of the day, over midnight too`() throws {
        let night = try #require(QuietHours("23:30-04:00"))
        #expect(night.contains(instant(23, 30)) && night.contains(instant(0, 0)) && night.contains(instant(3, 59)))
        #expect(!night.contains(instant(4, 0)) && !night.contains(instant(12, 0)))
        let day = try #require(QuietHours("00:00-24:00"))
        #expect(day.contains(instant(0, 0)) && day.contains(instant(23, 59)))
        #expect(QuietHours() == QuietHours("01:00-05:00"))
    }

    @Test(arguments: ["", "1:00-5:00", "01:00", "25:00-26:00", "05:00-05:00", "01:60-02:00", "24:00-01:00"])
    func `anything else is refused`(text: String) {
        #expect(QuietHours(text) == nil)
    }

    @Test func `a month is due once its end is as old as its table's months may be`() throws {
        let month = try #require(PartitionMonth(year: 2026, month: 8))
        let policy = RetentionPolicy(ages: [.analyticsEvents: .seconds(86_400)])
        let end = month.upperMicroseconds + 86_400 * 1_000_000
        #expect(policy.isDue(month, of: .analyticsEvents, at: end))
        #expect(!policy.isDue(month, of: .analyticsEvents, at: end - 1))
        #expect(!policy.isDue(month, of: .conversations, at: end))
    }
}
