package import MillraceRoutes
package import MillraceTelemetry

/// What a pool counts; the daemon exports it.
package final class ReadMetrics: Sendable {
    package let connectionsIdle = MetricCounter()
    package let connectionsBusy = MetricCounter()
    package let requestsWaiting = MetricCounter()
    private let refusals = ReadRefusal.allCases.map { _ in MetricCounter() }

    /// Told how long a request's statements took in PostgreSQL, without waiting for the connection.
    package let onQuery: @Sendable (_ route: HTTPRoute, _ microseconds: Int64) -> Void

    /// - Parameter onQuery: see `onQuery`.
    package init(onQuery: @escaping @Sendable (HTTPRoute, Int64) -> Void = { _, _ in }) {
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

/// Why a request gets no connection. Raw value = metric tag = `error.code` of the 503.
package enum ReadRefusal: String, Error, Sendable, CaseIterable {
    case tooManyReaders = "too_many_readers"
    case acquireTimeout = "no_connection_in_time"
    case draining

    var message: String {
        switch self {
        case .tooManyReaders: "every connection is busy and the queue is full (api.waiting_max); try later"
        case .acquireTimeout: "no connection became free in api.acquire_timeout; try later"
        case .draining: "the daemon is stopping"
        }
    }
}
