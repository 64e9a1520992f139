internal import CoreMetrics
internal import Synchronization

/// A number that goes up and down, or grows by fractions. Safe to call from any thread; never blocks.
package final class MetricNumber: MeterHandler, RecorderHandler, FloatingPointCounterHandler, Sendable {
    private let bits = Atomic<UInt64>(0)

    package init() {}

    package var value: Double { Double(bitPattern: bits.load(ordering: .relaxed)) }

    /// Replaces the number.
    package func set(_ value: Double) {
        bits.store(value.bitPattern, ordering: .relaxed)
    }

    /// The same; rounded above 2^53.
    package func set(_ value: Int64) {
        set(Double(value))
    }

    /// Adds `amount`; repeats when another thread was faster, so that nothing is lost.
    package func increment(by amount: Double) {
        var seen = bits.load(ordering: .relaxed)
        while true {
            let wanted = (Double(bitPattern: seen) + amount).bitPattern
            let (isDone, found) = bits.weakCompareExchange(expected: seen, desired: wanted, ordering: .relaxed)
            if isDone { return }
            seen = found
        }
    }

    /// Takes `amount` away.
    package func decrement(by amount: Double) {
        increment(by: -amount)
    }

    /// The same as `set`: a recorder that does not aggregate shows the last value.
    package func record(_ value: Int64) {
        set(Double(value))
    }

    /// The same as `set`.
    package func record(_ value: Double) {
        set(value)
    }

    /// Sets it to 0.
    package func reset() {
        set(0.0)
    }
}

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
