package import MillraceTelemetry

/// What a pool counts; the daemon exports it.
package final class ReadMetrics: Sendable {
    package let connectionsIdle = MetricCounter()
    package let connectionsBusy = MetricCounter()
    package let requestsWaiting = MetricCounter()
    private let refusals = ReadRefusal.allCases.map { _ in MetricCounter() }

    /// Told how long a request's statements took in PostgreSQL, without waiting for the connection.
    package let onQuery: @Sendable (_ route: ReadRoute, _ microseconds: Int64) -> Void

    package init(onQuery: @escaping @Sendable (ReadRoute, Int64) -> Void = { _, _ in }) {
        self.onQuery = onQuery
    }

    /// Requests refused for want of a connection, by reason.
    package func refused(_ refusal: ReadRefusal) -> MetricCounter {
        refusals[ReadRefusal.allCases.firstIndex(of: refusal) ?? 0]
    }

    func update(_ machine: ReadPoolStateMachine) {
        connectionsIdle.set(machine.idleCount)
        connectionsBusy.set(machine.busyCount)
        requestsWaiting.set(machine.waitingCount)
    }
}
