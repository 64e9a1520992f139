internal import CoreMetrics
internal import Synchronization

/// Sum and count of values without a unit of time. Safe to call from any thread.
package final class MetricSummary: RecorderHandler, Sendable {
    private let state = Mutex((sum: 0.0, count: 0))

    package init() {}

    /// Read together.
    package var total: (sum: Double, count: Int) { state.withLock { $0 } }

    /// Adds one value; rounded above 2^53.
    package func record(_ value: Int64) {
        record(Double(value))
    }

    /// Adds one value to the sum and 1 to the count, under a lock.
    package func record(_ value: Double) {
        state.withLock { state in
            state.sum += value
            state.count += 1
        }
    }
}
