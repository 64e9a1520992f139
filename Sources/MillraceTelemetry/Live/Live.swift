internal import Synchronization

/// A value that a reload may replace while others go by it: a stage's settings.
///
/// Those who ask now and then read `value`. A hot path holds a `LiveCopy`, which looks again only when `generation` has
/// moved. Those who must act on a change say so by `onChange`.
package final class Live<Value: Sendable>: Sendable {
    private struct State {
        var value: Value
        var observers: [@Sendable (Value) -> Void] = []
    }

    private let state: Mutex<State>
    private let replaced = Atomic<Int>(0)

    package init(_ value: Value) {
        state = Mutex(State(value: value))
    }

    /// The one in force.
    package var value: Value { state.withLock { $0.value } }

    /// How often it was replaced. Costs an atomic load.
    package var generation: Int { replaced.load(ordering: .relaxed) }

    /// Puts `value` in the place of the one in force, and tells the observers, in the order they came, before it returns.
    /// Two replacements at the same time are the caller's to prevent.
    package func replace(with value: Value) {
        let observers = state.withLock { state in
            state.value = value
            replaced.add(1, ordering: .relaxed)
            return state.observers
        }
        for observer in observers { observer(value) }
    }

    /// `observer` is called with each value that comes after the one it is called with at once; it must not block, and stays
    /// as long as this object.
    package func onChange(_ observer: @escaping @Sendable (Value) -> Void) {
        let value = state.withLock { state in
            state.observers.append(observer)
            return state.value
        }
        observer(value)
    }

    fileprivate func copy() -> (value: Value, generation: Int) {
        state.withLock { ($0.value, replaced.load(ordering: .relaxed)) }
    }
}

/// What one holder knows of a live value: for hot paths, where a lock for each look would be too much.
package struct LiveCopy<Value: Sendable>: Sendable {
    /// As of the last `refresh`.
    package private(set) var value: Value
    private let live: Live<Value>
    private var generation: Int

    package init(_ live: Live<Value>) {
        self.live = live
        (value, generation) = live.copy()
    }

    /// Takes the value in force. True when it was replaced since the last time; else it costs an atomic load.
    @discardableResult
    package mutating func refresh() -> Bool {
        guard live.generation != generation else { return false }
        (value, generation) = live.copy()
        return true
    }
}
