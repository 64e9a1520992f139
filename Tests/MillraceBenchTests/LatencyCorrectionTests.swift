import Histogram
import MillraceTelemetry
import Testing

@testable import MillraceBench

struct LatencyCorrectionTests {
    @Test func `the correction adds what those would have seen who were not sent`() {
        var histogram = LatencyHistogram.latencies()
        for _ in 0..<100 { histogram.record(nanoseconds: 1_000_000, count: 1) }
        // A stall of 10 ms, while one would have been sent every millisecond.
        histogram.record(nanoseconds: 10_000_000, count: 1)
        let corrected = histogram.corrected(expectedIntervalMicroseconds: 1000)
        #expect(corrected.totalCount == 110)
        #expect(corrected.maxRecorded == histogram.maxRecorded)
        #expect(corrected.count(within: 1500...11_000) == 9)
        #expect(histogram.corrected(expectedIntervalMicroseconds: 10_000) == histogram)
    }

    @Test func `it agrees with recording each value corrected`() {
        var plain = LatencyHistogram.latencies()
        var expected = LatencyHistogram.latencies()
        for index in 0..<2000 {
            // Below 2048 every value has a slot of its own.
            let value = EventHash.mix(5, UInt64(index), lane: 0) % 2000
            plain.record(value, count: 3)
            expected.recordCorrectedValue(value, count: 3, expectedInterval: 70)
        }
        #expect(plain.corrected(expectedIntervalMicroseconds: 70) == expected)
    }

    private static let roundings: [(nanoseconds: Int64, microseconds: UInt64)] = [
        (0, 0), (1, 1), (999, 1), (1000, 1), (1001, 2), (-5, 0), (.max / 2, 3_600_000_000),
    ]

    @Test(arguments: roundings)
    func `microseconds are rounded up and bounded`(nanoseconds: Int64, microseconds: UInt64) {
        var histogram = LatencyHistogram.latencies()
        histogram.record(nanoseconds: nanoseconds, count: 1)
        #expect(histogram.totalCount == 1)
        #expect(histogram.lowestEquivalentForValue(histogram.maxRecorded) <= microseconds)
        #expect(histogram.maxRecorded >= microseconds)
    }

    @Test func `an empty histogram stays empty`() {
        #expect(LatencyHistogram.latencies().corrected(expectedIntervalMicroseconds: 1).totalCount == 0)
    }
}
