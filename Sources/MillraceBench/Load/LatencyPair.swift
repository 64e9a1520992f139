internal import Histogram
internal import MillraceTelemetry

/// Latencies of the same lines, counted in two ways.
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

extension LatencyHistogram {
    /// In whole microseconds, rounded up, so that nothing is shown as shorter than it was.
    @inline(__always)
    mutating func record(nanoseconds: Int64, count: Int) {
        let microseconds = UInt64(Swift.max(0, nanoseconds + 999)) / 1000
        record(Swift.min(microseconds, Self.microsecondsMax), count: UInt64(count))
    }

    /// HdrHistogram's `copyCorrectedForCoordinatedOmission`: for every value above the interval, adds the values that
    /// those would have seen who were not sent meanwhile, each one interval shorter than the one before. `count` grows.
    func corrected(expectedIntervalMicroseconds interval: UInt64) -> LatencyHistogram {
        var corrected = LatencyHistogram.latencies()
        guard totalCount > 0 else { return corrected }
        var value = lowestEquivalentForValue(min)
        while value <= maxRecorded {
            let count = countForValue(value)
            if count > 0 {
                corrected.recordCorrectedValue(
                    Swift.min(highestEquivalentForValue(value), maxRecorded), count: count,
                    expectedInterval: Swift.max(1, interval))
            }
            value = nextNonEquivalentForValue(value)
        }
        return corrected
    }
}
