import Histogram
import MillraceTelemetry
import MillraceTestSupport
import Testing

struct HistogramLogTests {
    /// Counts that take one to nine bytes, zeros in between, and values from every bucket.
    private static func random(_ generator: inout SeededGenerator) -> LatencyHistogram {
        var histogram = LatencyHistogram.latencies()
        for _ in 0..<Int.random(in: 1...300, using: &generator) {
            let value = UInt64.random(in: 0...3_600_000_000, using: &generator)
            let count = UInt64.random(in: 1...1 << 40, using: &generator)
            let shift = UInt64.random(in: 0...40, using: &generator)
            histogram.record(value >> min(shift, 32), count: max(1, count >> shift))
        }
        return histogram
    }

    @Test func `another implementation decodes what was recorded`() throws {
        var generator = SeededGenerator(seed: 5)
        let histograms = (0..<50).map { _ in Self.random(&generator) }
        var text = HistogramLog.header(startedAt: .seconds(1_795_267_200))
        for (index, histogram) in histograms.enumerated() {
            text += HistogramLog.line(
                tag: "stage \(index)", startedAt: .milliseconds(1_795_267_200_000 + 1500 * index),
                length: .milliseconds(1500), histogram)
        }
        let intervals = try DecodedHistogramLog.intervals(in: text)
        try #require(intervals.count == histograms.count)
        for (index, (interval, histogram)) in zip(intervals, histograms).enumerated() {
            #expect(interval.tag == "stage_\(index)")
            #expect(interval.start == 1_795_267_200 + 1.5 * Double(index))
            #expect(interval.length == 1.5)
            #expect(interval.count == Int(histogram.totalCount))
            #expect(interval.max == Int(histogram.max))
            #expect(histogram.valuesAreEquivalent(UInt64(interval.p50), histogram.valueAtPercentile(50)))
            #expect(histogram.valuesAreEquivalent(UInt64(interval.p99), histogram.valueAtPercentile(99)))
        }
    }

    @Test func `nothing and one value at either end are decoded too`() throws {
        var ends = LatencyHistogram.latencies()
        ends.record(0, count: 2)
        ends.record(LatencyHistogram.microsecondsMax, count: 3)
        let text =
            HistogramLog.header(startedAt: .zero)
            + HistogramLog.line(tag: "", startedAt: .zero, length: .seconds(1), .latencies())
            + HistogramLog.line(tag: "ends", startedAt: .seconds(1), length: .seconds(1), ends)
        let intervals = try DecodedHistogramLog.intervals(in: text)
        #expect(intervals.map(\.count) == [0, 5])
        #expect(intervals.map(\.tag) == [nil, "ends"])
        #expect(intervals.last?.max == Int(ends.max))
    }

    @Test func `a log begins as the other implementations want it`() {
        let lines = HistogramLog.header(startedAt: .milliseconds(1_795_267_200_250)).split(separator: "\n")
        #expect(
            lines == [
                "#[Millrace; values in microseconds, Interval_Max in milliseconds]",
                "#[Histogram log format version 1.3]",
                "#[StartTime: 1795267200.250 (seconds since epoch), 2026-11-21T13:20:00.250Z]",
                "\"StartTimestamp\",\"Interval_Length\",\"Interval_Max\",\"Interval_Compressed_Histogram\"",
            ])
    }
}
