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

    /// Of one pool, beside others; `counted`: what it had before.
    func update(_ machine: ReadPoolStateMachine, _ counted: inout ReadLevels) {
        let levels = ReadLevels(idle: machine.idleCount, busy: machine.busyCount, waiting: machine.waitingCount)
        connectionsIdle.add(levels.idle - counted.idle)
        connectionsBusy.add(levels.busy - counted.busy)
        requestsWaiting.add(levels.waiting - counted.waiting)
        counted = levels
    }
}

/// What one pool has in the levels of `ReadMetrics`.
struct ReadLevels {
    var idle = 0
    var busy = 0
    var waiting = 0
}

/// Why a request gets no connection. Raw value = metric tag = `error.code` of the 503.
package enum ReadRefusal: String, Error, Sendable, CaseIterable {
    case tooManyReaders = "too_many_readers"
    case acquireTimeout = "no_connection_in_time"
    case draining
    case positionNotCommitted = "position_not_committed"

    var message: String {
        switch self {
        case .tooManyReaders: "every connection is busy and the queue is full (api.waiting_max); try later"
        case .acquireTimeout: "no connection became free in api.acquire_timeout; try later"
        case .draining: "the daemon is stopping"
        case .positionNotCommitted:
            "what after names is not in PostgreSQL within api.after_wait; it is kept, so try again, or ask without after"
        }
    }
}
