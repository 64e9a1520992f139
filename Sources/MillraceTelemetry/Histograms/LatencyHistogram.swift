package import Histogram

/// Durations in whole microseconds, to three significant digits, 0 … 1 h; about 190 KB. A longer duration counts as 1 h,
/// so nothing is lost from the count. (`Histogram` comes from the package hdrhistogram-swift.)
package typealias LatencyHistogram = Histogram<UInt64>

extension LatencyHistogram {
    /// Largest value, in microseconds: one hour.
    package static let microsecondsMax: UInt64 = 3_600_000_000

    /// An empty histogram of the layout above.
    package static func latencies() -> LatencyHistogram {
        LatencyHistogram(
            lowestDiscernibleValue: 1, highestTrackableValue: microsecondsMax, numberOfSignificantValueDigits: .three)
    }
}
