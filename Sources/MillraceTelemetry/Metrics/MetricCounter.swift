internal import CoreMetrics
internal import Synchronization

/// A number that only grows. Safe to call from any thread; never blocks.
package final class MetricCounter: CounterHandler, Sendable {
    private let number = Atomic<Int64>(0)

    package init() {}

    package var value: Int64 { number.load(ordering: .relaxed) }

    package func increment(by amount: Int64) {
        number.wrappingAdd(amount, ordering: .relaxed)
    }

    package func increment() {
        increment(by: 1)
    }

    package func reset() {
        number.store(0, ordering: .relaxed)
    }
}
