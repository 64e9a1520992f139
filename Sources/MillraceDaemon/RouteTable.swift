import FoundationEssentials
import Logging
import MillraceAPI
import MillraceConfiguration
internal import MillraceChannels
internal import MillraceEvent
import MillraceIntake
import MillraceTelemetry
import MillraceWriter
import NIOCore
import NIOHTTPTypes
import Synchronization

/// The routes in force. A reload puts new ones in their place; connections that are open keep theirs until they end.
final class RouteTable: Sendable {
    private let current: Mutex<APIRoutes>
    private let channel: RecordChannel
    private let metrics: DaemonMetrics
    private let extents: ExtentChannel
    private let reading: Reading
    private let logger: Logger

    /// Throws `TokenVerifier.KeyError`, and errors of reading `jwt.jwks_file`.
    init(
        _ configuration: DaemonConfiguration, channel: RecordChannel, metrics: DaemonMetrics, extents: ExtentChannel,
        reading: Reading, logger: Logger
    ) async throws {
        self.channel = channel
        self.metrics = metrics
        self.extents = extents
        self.reading = reading
        self.logger = logger
        current = Mutex(
            try await Self.routes(
                configuration, channel: channel, metrics: metrics, extents: extents, reading: reading, logger: logger))
    }

    /// Answers the requests of one connection.
    func handle(_ connection: NIOAsyncChannel<HTTPRequestPart, HTTPResponsePart>) async {
        let routes = current.withLock { $0 }
        await routes.handle(connection)
    }

    /// Takes the tokens' keys of `configuration` for connections from now on.
    func reload(_ configuration: DaemonConfiguration) async throws {
        let routes = try await Self.routes(
            configuration, channel: channel, metrics: metrics, extents: extents, reading: reading, logger: logger)
        current.withLock { $0 = routes }
    }

    private static func routes(
        _ configuration: DaemonConfiguration, channel: RecordChannel, metrics: DaemonMetrics, extents: ExtentChannel,
        reading: Reading, logger: Logger
    ) async throws -> APIRoutes {
        var settings = APIConfiguration()
        settings.saveBodyBytesMax = configuration.http.requestBodyMax
        settings.retryAfterSeconds = Int(configuration.http.retryAfter.components.seconds)
        settings.memory = reading.configuration.memory
        settings.recordingsMax = configuration.latency.recordingsMax
        settings.isOpenOnLoopback = configuration.api.openOnLoopback
        settings.limits = configuration.eventLimits
        settings.version = Version.current
        return APIRoutes(
            configuration: settings, channel: channel,
            verifier: try await TokenVerifier(tokens(configuration.jwt)), reading: reading, logger: logger,
            readiness: {
                readiness(
                    channel: channel, metrics: metrics, extents: extents,
                    isStrict: configuration.http.strictHealthChecks)
            },
            metrics: { metrics.text() },
            latencies: { metrics.latencySnapshot() },
            onAccepted: { metrics.intake.accepted(.conversation).add(1) },
            onRefused: { metrics.intake.refused($0).add(1) }
        )
    }

    private static func tokens(_ jwt: DaemonConfiguration.JWT) throws -> TokenVerifierConfiguration {
        var tokens = TokenVerifierConfiguration()
        if !jwt.secret.isEmpty { tokens.keys.append(.hs256(secret: jwt.secret.value)) }
        for key in jwt.keys {
            switch (key.algorithm, key.material) {
            case (.rs256, .publicKey(let pem)): tokens.keys.append(.rs256(publicKeyPEM: pem, keyID: key.id))
            case (.es256, .publicKey(let pem)): tokens.keys.append(.es256(publicKeyPEM: pem, keyID: key.id))
            case (.hs256, .secret(let secret)): tokens.keys.append(.hs256(secret: secret.value, keyID: key.id))
            case (.hs256, .publicKey), (.rs256, .secret), (.es256, .secret): break  // the configuration refuses these
            }
        }
        if !jwt.jwksFile.isEmpty { tokens.jwksJSON = try String(contentsOfFile: jwt.jwksFile, encoding: .utf8) }
        tokens.issuer = jwt.issuer.isEmpty ? nil : jwt.issuer
        tokens.audience = jwt.audience.isEmpty ? nil : jwt.audience
        tokens.leeway = jwt.leeway
        tokens.serviceRole = jwt.serviceRole
        return tokens
    }

    private static func readiness(
        channel: RecordChannel, metrics: DaemonMetrics, extents: ExtentChannel, isStrict: Bool
    ) -> Readiness {
        var readiness = Readiness()
        if let refusal = channel.refusal {
            readiness.reasons.append(Readiness.Item(code: refusal.rawValue, message: refusal.message))
        }
        if !metrics.writer.isDatabaseUp.load(ordering: .relaxed) {
            let item = Readiness.Item(
                code: "database_down",
                message: "PostgreSQL takes no batches; intake goes on, \(extents.waitingCount) lines wait in the spool")
            if isStrict { readiness.reasons.append(item) } else { readiness.notes.append(item) }
        }
        if let stall = metrics.writer.writing.state.stall {
            let state = stall.fault.sqlState.map { " (SQLSTATE \($0))" } ?? ""
            readiness.stall = Readiness.Stall(
                isTotal: stall.reach == .nothing, reason: stall.fault.message + state,
                since: LogTime.text(.microseconds(stall.since.microseconds)))
            let item = Readiness.Item(
                code: stall.reach == .nothing ? "nothing_written" : "batches_stuck",
                message:
                    "\(stall.linesWaiting) lines wait in the spool: \(stall.fault.message)\(state). \(stall.fault.hint)"
            )
            if isStrict, stall.reach == .nothing {
                readiness.reasons.append(item)
            } else {
                readiness.notes.append(item)
            }
        }
        return readiness
    }
}
