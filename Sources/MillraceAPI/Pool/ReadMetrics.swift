internal import Synchronization

/// What a pool counts; the daemon exports it.
package final class ReadMetrics: Sendable {
    private let refusedCounts = ReadRefusal.allCases.map { _ in Counter() }
    private let idle = Counter()
    private let busy = Counter()
    private let waiting = Counter()

    private final class Counter: Sendable {
        let value = Atomic<Int>(0)
    }

    /// Told how long a request's statements took in PostgreSQL, without waiting for the connection.
    package let onQuery: @Sendable (_ route: ReadRoute, _ microseconds: Int64) -> Void

    package init(onQuery: @escaping @Sendable (ReadRoute, Int64) -> Void = { _, _ in }) {
        self.onQuery = onQuery
    }

    package var connectionsIdle: Int { idle.value.load(ordering: .relaxed) }
    package var connectionsBusy: Int { busy.value.load(ordering: .relaxed) }
    package var requestsWaiting: Int { waiting.value.load(ordering: .relaxed) }

    package func refused(_ refusal: ReadRefusal) -> Int {
        refusedCounts[ReadRefusal.allCases.firstIndex(of: refusal) ?? 0].value.load(ordering: .relaxed)
    }

    func countRefused(_ refusal: ReadRefusal) {
        refusedCounts[ReadRefusal.allCases.firstIndex(of: refusal) ?? 0].value.add(1, ordering: .relaxed)
    }

    func update(_ machine: ReadPoolStateMachine) {
        idle.value.store(machine.idleCount, ordering: .relaxed)
        busy.value.store(machine.busyCount, ordering: .relaxed)
        waiting.value.store(machine.waitingCount, ordering: .relaxed)
    }
}
