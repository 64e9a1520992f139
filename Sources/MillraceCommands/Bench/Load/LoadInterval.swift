internal import MillraceTelemetry

/// About a second of a run, as the sending side hands it over.
struct LoadInterval: Sendable {
    /// Since 1970.
    var startedAt: Duration
    var length: Duration
    /// Lines settled in it, ramp-up included.
    var settled: Int
    /// At its end.
    var inFlight: Int
    /// False for the ramp-up, whose latencies are not here.
    var isMeasured: Bool
    /// Of the closed loop `corrected` is empty: see `correctionMicroseconds`.
    var latencies: LatencyPair
    /// Closed loop: the mean time between two lines of one place so far, the expected interval of the correction. nil in
    /// the open loop.
    var correctionMicroseconds: UInt64?

    /// The latencies with the closed loop's correction made.
    var corrected: LatencyPair {
        guard let correctionMicroseconds else { return latencies }
        var pair = latencies
        pair.corrected = latencies.uncorrected.corrected(expectedIntervalMicroseconds: correctionMicroseconds)
        return pair
    }
}
