internal import Histogram
internal import MillraceTelemetry

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
