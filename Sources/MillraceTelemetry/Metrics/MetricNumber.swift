internal import CoreMetrics
internal import Synchronization

/// A number that goes up and down, or grows by fractions. Safe to call from any thread; never blocks.
package final class MetricNumber: MeterHandler, RecorderHandler, FloatingPointCounterHandler, Sendable {
    private let bits = Atomic<UInt64>(0)

    package init() {}

    package var value: Double { Double(bitPattern: bits.load(ordering: .relaxed)) }

    package func set(_ value: Double) {
        bits.store(value.bitPattern, ordering: .relaxed)
    }

    package func set(_ value: Int64) {
        set(Double(value))
    }

    package func increment(by amount: Double) {
        var seen = bits.load(ordering: .relaxed)
        while true {
            let wanted = (Double(bitPattern: seen) + amount).bitPattern
            let (isDone, found) = bits.weakCompareExchange(expected: seen, desired: wanted, ordering: .relaxed)
            if isDone { return }
            seen = found
        }
    }

    package func decrement(by amount: Double) {
        increment(by: -amount)
    }

    package func record(_ value: Int64) {
        set(Double(value))
    }

    package func record(_ value: Double) {
        set(value)
    }

    package func reset() {
        set(0.0)
    }
}
