internal import Histogram
internal import MillraceTelemetry

/// Percentiles of one histogram, in microseconds, as the JSON has them.
struct BenchSummary: Encodable, Equatable {
    private enum CodingKeys: String, CodingKey {
        case count, min, mean, p50, p90, p99
        case p999 = "p99_9"
        case p9999 = "p99_99"
        case max
    }

    var count: UInt64
    var min: UInt64
    var mean: Double
    var p50: UInt64
    var p90: UInt64
    var p99: UInt64
    var p999: UInt64
    var p9999: UInt64
    var max: UInt64

    init(_ summary: LatencySummary) {
        count = summary.count
        min = summary.min
        mean = summary.mean
        p50 = summary.p50
        p90 = summary.p90
        p99 = summary.p99
        p999 = summary.p999
        p9999 = summary.p9999
        max = summary.max
    }
}
