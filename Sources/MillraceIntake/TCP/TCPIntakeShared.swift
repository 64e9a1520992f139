internal import Logging
internal import MillraceAccess
internal import MillraceChannels
internal import MillraceEvent
internal import MillraceTelemetry
internal import NIOCore

/// What all connections of one TCP intake share.
final class TCPIntakeShared: Sendable {
    let configuration: Live<TCPIntakeConfiguration>
    let channel: RecordChannel
    /// Who is let in.
    let access: IntakeAccess
    let metrics: IntakeMetrics
    let limiter: ConnectionLimiter
    /// Half-closed connections that wait for commits.
    let waiters: ConnectionLimiter
    let logger: Logger
    let refusalLog: RefusalLog
    let authenticationFailures: AuthenticationFailures
    private let requestLog: RefusalLog
    private let tlsLog: RefusalLog
    private let closeLog: RefusalLog
    private let memoryLog: RefusalLog

    /// Open connections, to be told of a new configuration.
    let connections = OpenConnections()

    init(
        configuration: Live<TCPIntakeConfiguration>, channel: RecordChannel, metrics: IntakeMetrics, logger: Logger
    ) {
        func log(_ message: String, hint: String? = nil) -> RefusalLog {
            RefusalLog(
                message, hint: hint, interval: TimeAmount(configuration.value.limits.refusedLogInterval), logger: logger
            )
        }
        self.configuration = configuration
        self.channel = channel
        self.metrics = metrics
        self.logger = logger
        let settings = configuration.value
        limiter = ConnectionLimiter(max: settings.tcp.connectionsMax)
        waiters = ConnectionLimiter(max: settings.intake.committedWaitersMax)
        refusalLog = log("lines refused")
        access = settings.access
        authenticationFailures = AuthenticationFailures(
            access, metrics[.tcp], interval: TimeAmount(configuration.value.limits.refusedLogInterval), logger)
        requestLog = log(
            "http request on the tcp intake, connection closed", hint: "HTTP is spoken where http.listen says")
        tlsLog = log(
            "tls on a plain-text listener, connection closed",
            hint: "set tcp.tls and [tls], or let the client speak plain text")
        closeLog = log(
            "connection closed for its refused lines",
            hint: "see `millrace dead-letters list` for what it sent, and tcp.refused_lines_max")
        memoryLog = log(
            "line given up, connection closed",
            hint: "memory.budget is spent; millrace_memory_used_bytes, and these peers leave lines open")
        configuration.onChange { [limiter, waiters, connections] settings in
            limiter.setMax(settings.tcp.connectionsMax)
            waiters.setMax(settings.intake.committedWaitersMax)
            connections.tellAll()
        }
    }

    /// `hasPlace`: false when there are too many connections.
    func connectionOpened(hasPlace: Bool) {
        let counters = metrics[.tcp]
        if hasPlace { counters.connectionsOpen.add(1) }
        (hasPlace ? counters.connectionsAccepted : counters.connectionsRefused).add(1)
    }

    /// A place has become free.
    func placeLeft() {
        limiter.leave()
        metrics[.tcp].connectionsOpen.add(-1)
    }

    /// Counts and logs lines of a client without acks that the spool refused while the daemon stopped.
    func linesLost(_ count: Int, peer: String) {
        metrics[.tcp].linesAbandoned.add(count)
        logger.error("lines lost", metadata: [.count: "\(count)", .peer: "\(peer)", .code: "draining"])
    }

    /// Counts and logs a connection that ends for what it sent.
    func ended(_ end: TCPConnectionEnd, peer: String) {
        switch end.code {
        case .tooManyRefusedLines:
            metrics[.tcp].connectionsClosed.add(1)
            closeLog.refused(end.code.rawValue, peer: peer)
        case .tlsHello: tlsLog.refused("tls_hello", peer: peer)
        case .httpRequest: requestLog.refused("http_request", peer: peer)
        case .memoryShort: memoryLog.refused(end.code.rawValue, peer: peer)
        case .rateLimited: metrics[.tcp].rateLimited.add(1)
        case .tooManyConnections, .invalidGreeting, .idle, .unauthenticated, .forbidden: break
        }
    }
}
