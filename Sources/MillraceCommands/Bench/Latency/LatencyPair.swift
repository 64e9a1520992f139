internal import Histogram
internal import MillraceTelemetry

/// The two ways to look at the same lines.
struct LatencyPair: Sendable {
    /// As if no line had been held back: open loop, from the time it was to be sent; closed loop, with HdrHistogram's
    /// correction by an expected interval.
    var corrected = LatencyHistogram.latencies()
    /// From the time it was sent.
    var uncorrected = LatencyHistogram.latencies()

    mutating func add(_ other: LatencyPair) {
        corrected.add(other.corrected)
        uncorrected.add(other.uncorrected)
    }

    mutating func reset() {
        corrected.reset()
        uncorrected.reset()
    }
}
