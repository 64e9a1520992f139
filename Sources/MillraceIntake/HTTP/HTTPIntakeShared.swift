internal import Logging
internal import MillraceChannels
internal import NIOCore

/// What all connections of one intake share.
final class HTTPIntakeShared: Sendable {
    let configuration: HTTPIntakeConfiguration
    let channel: RecordChannel
    let metrics: IntakeMetrics
    let limiter: ConnectionLimiter
    /// Requests that wait for a commit.
    let waiters: ConnectionLimiter
    let door: HTTPDoor
    let logger: Logger
    /// Adds what answers the other routes to the end of the pipeline. `isSecure`: the connection speaks TLS.
    let attachRoutes: @Sendable (_ channel: any Channel, _ isSecure: Bool) throws -> Void

    init(
        configuration: HTTPIntakeConfiguration, channel: RecordChannel, metrics: IntakeMetrics, logger: Logger,
        attachRoutes: @escaping @Sendable (_ channel: any Channel, _ isSecure: Bool) throws -> Void
    ) {
        self.configuration = configuration
        self.channel = channel
        self.metrics = metrics
        limiter = ConnectionLimiter(max: configuration.http.connectionsMax)
        waiters = ConnectionLimiter(max: configuration.intake.committedWaitersMax)
        door = HTTPDoor(listen: configuration.listen, hosts: configuration.http.hosts)
        self.logger = logger
        self.attachRoutes = attachRoutes
    }

    /// Whether only the places reserved for operations are left, so that idle connections must go.
    var isCrowded: Bool { limiter.hasAtMost(max(1, configuration.http.reservedConnections)) }
}
