internal import Histogram

/// The percentiles of one histogram: a row of the table, an object of the JSON. Times are in microseconds.
package struct LatencySummary: Sendable, Equatable, Codable {
    private enum CodingKeys: String, CodingKey {
        case name, count
        case min = "min_us"
        case mean = "mean_us"
        case p50 = "p50_us"
        case p75 = "p75_us"
        case p90 = "p90_us"
        case p99 = "p99_us"
        case p999 = "p99.9_us"
        case p9999 = "p99.99_us"
        case max = "max_us"
    }

    /// What was measured.
    package var name: String
    /// Of events, or of requests.
    package var count: UInt64
    package var min: UInt64
    package var mean: Double
    package var p50: UInt64
    package var p75: UInt64
    package var p90: UInt64
    package var p99: UInt64
    package var p999: UInt64
    package var p9999: UInt64
    package var max: UInt64

    package init(_ name: String, _ histogram: LatencyHistogram) {
        self.name = name
        count = histogram.totalCount
        min = histogram.min
        mean = (histogram.recordedSlots().mean * 1000).rounded() / 1000
        p50 = histogram.valueAtPercentile(50)
        p75 = histogram.valueAtPercentile(75)
        p90 = histogram.valueAtPercentile(90)
        p99 = histogram.valueAtPercentile(99)
        p999 = histogram.valueAtPercentile(99.9)
        p9999 = histogram.valueAtPercentile(99.99)
        max = histogram.maxRecorded
    }
}
