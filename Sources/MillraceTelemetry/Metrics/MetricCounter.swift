internal import CoreMetrics
internal import Synchronization

/// A whole number that many threads change and the exporter reads: a count, or a level that goes up and down. Never blocks.
package final class MetricCounter: CounterHandler, Sendable {
    private let number = Atomic<Int>(0)

    package init() {}

    package var value: Int { number.load(ordering: .relaxed) }

    /// `amount`: negative where it is a level.
    package func add(_ amount: Int) {
        number.wrappingAdd(amount, ordering: .relaxed)
    }

    /// Replaces the level.
    package func set(_ value: Int) {
        number.store(value, ordering: .relaxed)
    }

    /// For libraries that use swift-metrics: the same as `add`.
    package func increment(by amount: Int64) {
        add(Int(amount))
    }

    /// Sets it to 0.
    package func reset() {
        set(0)
    }
}
