import MillracePostgres
import Testing

struct PartitionMonthTests {
    @Test(arguments: [
        (Int64(0), "y1970m01"), (-1, "y1969m12"), (951_782_400_000_000, "y2000m02"),
        (1_793_491_199_999_999, "y2026m10"), (1_793_491_200_000_000, "y2026m11"), (4_107_542_400_000_000, "y2100m03"),
    ])
    func `a time falls into its month in UTC`(microseconds: Int64, name: String) throws {
        #expect(try #require(PartitionMonth(microseconds: microseconds)).description == name)
    }

    @Test func `each month's bounds lead back to it, over a thousand years`() throws {
        var month = try #require(PartitionMonth(year: 1600, month: 1))
        for _ in 0..<12_000 {
            let next = month.advanced(by: 1)
            #expect(month.upperMicroseconds == next.lowerMicroseconds)
            #expect(PartitionMonth(microseconds: month.lowerMicroseconds) == month)
            #expect(PartitionMonth(microseconds: month.upperMicroseconds - 1) == month)
            #expect(month < next)
            month = next
        }
    }

    @Test func `a month names its partition and its bounds`() throws {
        let month = try #require(PartitionMonth(year: 2026, month: 12))
        #expect(PartitionedTable.analyticsEvents.partitionName(month) == "analytics_events_y2026m12")
        #expect(month.lowerBound == "2026-12-01 00:00:00+00")
        #expect(month.upperBound == "2027-01-01 00:00:00+00")
        #expect(PartitionMonth(partitionName: "analytics_events_y2026m12", of: .analyticsEvents) == month)
    }

    @Test(arguments: [
        "analytics_events", "analytics_events_y2026m13", "conversations_y2026m11", "analytics_events_y26m1",
    ])
    func `another name is no month`(name: String) {
        #expect(PartitionMonth(partitionName: name, of: .analyticsEvents) == nil)
    }

    @Test func `a time beyond four-digit years has no month`() {
        #expect(PartitionMonth(microseconds: .max) == nil)
        #expect(PartitionMonth(microseconds: .min) == nil)
    }
}
