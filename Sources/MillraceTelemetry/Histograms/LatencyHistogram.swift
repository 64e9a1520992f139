package import Histogram

/// Durations in whole microseconds, to three significant digits. (`Histogram` is of the package hdrhistogram-swift.)
package typealias LatencyHistogram = Histogram<UInt64>

extension LatencyHistogram {
    /// Largest value of a recorder, in microseconds: one hour. A histogram itself grows beyond when it must.
    package static let microsecondsMax: UInt64 = 3_600_000_000

    /// An empty histogram. Grows with its values: 8 KB a doubling, 80 KB up to a second, 190 KB up to an hour.
    package static func latencies() -> LatencyHistogram {
        LatencyHistogram(numberOfSignificantValueDigits: .three)
    }

    /// What was recorded after `earlier`, an older copy of this histogram.
    package func since(_ earlier: LatencyHistogram) -> LatencyHistogram {
        guard earlier.totalCount > 0 else { return self }
        let layout = HistogramLayout(earlier)
        let last = layout.index(of: earlier.maxRecorded)
        var difference = LatencyHistogram.latencies()
        for slot in recordedSlots() {
            let before = slot.index <= last ? earlier.countForValue(slot.values.lowerBound) : 0
            guard slot.count > before else { continue }
            // The largest one is as it was recorded; of the others only the slot is known.
            let value = slot.values.contains(maxRecorded) ? maxRecorded : slot.values.lowerBound
            difference.record(value, count: slot.count - before)
        }
        return difference
    }
}
