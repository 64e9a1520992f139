internal import Logging
internal import MillraceAccess
internal import MillraceChannels
internal import MillraceEvent
internal import MillraceTelemetry
internal import NIOCore
internal import Synchronization

/// What all connections of one intake share.
final class HTTPIntakeShared: Sendable {
    let settings: Live<HTTPSettings>
    let channel: RecordChannel
    let metrics: IntakeMetrics
    let limiter: ConnectionLimiter
    /// Requests that wait for a commit.
    let waiters: ConnectionLimiter
    let logger: Logger
    /// Who is let in.
    let access: IntakeAccess
    private let reserved: Atomic<Int>
    let authenticationFailures: AuthenticationFailures
    /// Adds what answers the other routes to the end of the pipeline. `isSecure`: the connection speaks TLS.
    let attachRoutes: @Sendable (_ channel: any Channel, _ isSecure: Bool) throws -> Void

    init(
        configuration: Live<HTTPIntakeConfiguration>, channel: RecordChannel, metrics: IntakeMetrics, logger: Logger,
        attachRoutes: @escaping @Sendable (_ channel: any Channel, _ isSecure: Bool) throws -> Void
    ) {
        let current = configuration.value
        settings = Live(HTTPSettings(current))
        self.channel = channel
        self.metrics = metrics
        limiter = ConnectionLimiter(max: current.http.connectionsMax)
        waiters = ConnectionLimiter(max: current.intake.committedWaitersMax)
        reserved = Atomic(current.http.reservedConnections)
        self.logger = logger
        access = current.access
        authenticationFailures = AuthenticationFailures(
            access, metrics[.http], interval: TimeAmount(configuration.value.limits.refusedLogInterval), logger)
        self.attachRoutes = attachRoutes
        configuration.onChange { [weak self] in self?.take($0) }
    }

    /// Whether only the places reserved for operations are left, so that idle connections must go.
    var isCrowded: Bool { limiter.hasAtMost(max(1, reserved.load(ordering: .relaxed))) }

    private func take(_ configuration: HTTPIntakeConfiguration) {
        limiter.setMax(configuration.http.connectionsMax)
        waiters.setMax(configuration.intake.committedWaitersMax)
        reserved.store(configuration.http.reservedConnections, ordering: .relaxed)
        settings.replace(with: HTTPSettings(configuration))
    }
}
