internal import CoreMetrics
internal import Histogram
internal import Synchronization

/// Durations in microseconds, 0 … 1 h, to three significant digits. Safe to call from any thread.
///
/// An interval recorder: recording takes a lock that a reader holds only to swap two histograms, never while it adds up,
/// iterates or writes. A recorder that nothing was recorded in takes no memory; else it has up to three histograms that
/// grow with their values (190 KB each for an hour, 80 KB for a second).
package final class LatencyRecorder: TimerHandler, Sendable {
    /// Largest duration; what is longer counts as this.
    package static let durationMax = Duration.seconds(3600)

    private struct Interval {
        /// Since the last reading; nil until something is recorded, then never again.
        var histogram: LatencyHistogram?
        var sumSeconds = 0.0

        mutating func record(_ microseconds: UInt64, _ count: Int) {
            if histogram == nil { histogram = .latencies() }
            histogram?.record(min(microseconds, LatencyHistogram.microsecondsMax), count: UInt64(count))
        }
    }

    private struct Total {
        var histogram = LatencyHistogram.latencies()
        var sumSeconds = 0.0
        /// Empty; goes to the recording side at the next reading.
        var spare = LatencyHistogram.latencies()
    }

    private let interval = Mutex(Interval())
    private let total = Mutex<Total?>(nil)

    package init() {}

    /// `count` events of the same `duration`: a batch is recorded by one call. A negative one (a clock that was set
    /// back) counts as zero.
    package func record(_ duration: Duration, count: Int = 1) {
        guard count > 0 else { return }
        let (seconds, attoseconds) = duration.components
        let clamped = max(.zero, min(duration, Self.durationMax))
        // Rounded up, so that a value is never shown as less than it was.
        let microseconds =
            UInt64(clamped.components.seconds) * 1_000_000
            + UInt64((clamped.components.attoseconds + 999_999_999_999) / 1_000_000_000_000)
        let exactSeconds = max(0, Double(seconds) + Double(attoseconds) * 1e-18)
        interval.withLock { interval in
            interval.record(microseconds, count)
            interval.sumSeconds += exactSeconds * Double(count)
        }
    }

    /// The same without the arithmetic of `Duration`, for what is recorded once a request.
    package func record(microseconds: Int64, count: Int = 1) {
        guard count > 0 else { return }
        let value = max(0, microseconds)
        interval.withLock { interval in
            interval.record(UInt64(value), count)
            interval.sumSeconds += Double(value) * Double(count) / 1_000_000
        }
    }

    /// Several at once, under one lock: what a group or a batch is made of.
    package func record(_ entries: [(microseconds: Int64, count: Int)]) {
        interval.withLock { interval in
            var sum = 0.0
            for (microseconds, count) in entries where count > 0 {
                let value = max(0, microseconds)
                interval.record(UInt64(value), count)
                sum += Double(value) * Double(count)
            }
            interval.sumSeconds += sum / 1_000_000
        }
    }

    /// One duration in nanoseconds, rounded up to microseconds: for libraries that use swift-metrics.
    package func recordNanoseconds(_ duration: Int64) {
        record(.nanoseconds(duration))
    }

    /// All that was recorded since the start. The histogram is in microseconds; nil when nothing was recorded.
    package func snapshot() -> (histogram: LatencyHistogram, sumSeconds: Double)? {
        total.withLock { total in
            guard interval.withLock({ $0.histogram != nil }) else { return nil }
            var sum = total.take() ?? Total()
            interval.withLock { interval in
                let taken = interval.histogram.take()
                interval.histogram = sum.spare
                sum.spare = taken ?? .latencies()
                sum.sumSeconds += interval.sumSeconds
                interval.sumSeconds = 0
            }
            sum.histogram.add(sum.spare)
            sum.spare.reset()
            total = sum
            return (sum.histogram, sum.sumSeconds)
        }
    }
}
