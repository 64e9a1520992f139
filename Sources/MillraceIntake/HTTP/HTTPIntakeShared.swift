internal import Logging
internal import MillraceAccess
internal import MillraceChannels
internal import MillraceTelemetry
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
    private let authenticationLog: RefusalLog
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
        authenticationLog = RefusalLog.ofAuthentications(configuration.limits, logger)
        self.attachRoutes = attachRoutes
    }

    /// Counts and logs a failed authentication, and says how long its answer waits; nil: it gets none.
    func authenticationFailed(_ address: AddressUse?, peer: String) -> FailedAuthentications.Wait? {
        metrics[.http].authenticationsFailed.add(1)
        authenticationLog.refused(AccessRefusal.Code.unauthenticated.rawValue, peer: peer)
        return configuration.access.authenticationFailed(from: address)
    }

    /// Whether only the places reserved for operations are left, so that idle connections must go.
    var isCrowded: Bool { limiter.hasAtMost(max(1, configuration.http.reservedConnections)) }
}
