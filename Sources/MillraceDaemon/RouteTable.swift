import FoundationEssentials
import Logging
import MillraceAPI
import MillraceConfiguration
internal import MillraceChannels
internal import MillraceEvent
import MillraceIntake
import MillraceSpool
import MillraceTelemetry
import MillraceWriter
import NIOCore
import NIOHTTPTypes
import Synchronization

/// The routes in force. A reload puts new ones in their place; connections that are open keep theirs until they end.
final class RouteTable: Sendable {
    private let current: Mutex<APIRoutes>
    private let pipeline: Pipeline
    private let reading: Reading
    private let saves: KnownSaves
    private let logger: Logger

    /// Throws `TokenVerifier.KeyError`, and errors of reading `jwt.jwks_file`.
    init(
        _ configuration: DaemonConfiguration, pipeline: Pipeline, reading: Reading, logger: Logger
    ) async throws {
        self.pipeline = pipeline
        self.reading = reading
        self.logger = logger
        let savesMax = configuration.routes.knownSavesMax
        let file = KnownSavesFile(directory: configuration.spool.directory, savesMax: savesMax, logger: logger)
        saves = KnownSaves(savesMax: savesMax, saves: await file.load()) { await file.append($0) }
        current = Mutex(
            try await Self.routes(configuration, pipeline: pipeline, reading: reading, saves: saves, logger: logger))
    }

    /// Answers the requests of one connection.
    func handle(_ connection: NIOAsyncChannel<HTTPRequestPart, HTTPResponsePart>) async {
        let routes = current.withLock { $0 }
        await routes.handle(connection)
    }

    /// Takes the tokens' keys of `configuration` for connections from now on.
    func reload(_ configuration: DaemonConfiguration) async throws {
        let routes = try await Self.routes(
            configuration, pipeline: pipeline, reading: reading, saves: saves, logger: logger)
        current.withLock { $0 = routes }
    }

    private static func routes(
        _ configuration: DaemonConfiguration, pipeline: Pipeline, reading: Reading, saves: KnownSaves, logger: Logger
    ) async throws -> APIRoutes {
        var settings = APIRoutesConfiguration()
        settings.api = configuration.api
        settings.routes = configuration.routes
        settings.eventLimits = configuration.eventLimits
        settings.retryAfterSeconds = configuration.http.retryAfterSeconds
        settings.memory = pipeline.memory
        settings.keys = pipeline.keys
        settings.auth = configuration.auth
        settings.version = Version.current
        let jwksFile = configuration.jwt.jwksFile
        let jwks = jwksFile.isEmpty ? nil : try String(contentsOfFile: jwksFile, encoding: .utf8)
        let metrics = pipeline.metrics
        return APIRoutes(
            configuration: settings, channel: pipeline.channel,
            verifier: try await TokenVerifier(configuration.jwt, jwks: jwks), reading: reading, saves: saves,
            logger: logger,
            readiness: { readiness(of: pipeline, isStrict: configuration.routes.strictHealthChecks) },
            metrics: { metrics.text() },
            latencies: { metrics.latencySnapshot() },
            onAccepted: { metrics.intake.accepted(.conversation).add(1) },
            onRefused: { metrics.intake.refused($0).add(1) }
        )
    }

    private static func readiness(of pipeline: Pipeline, isStrict: Bool) -> Readiness {
        var readiness = Readiness()
        if let refusal = pipeline.channel.refusal {
            readiness.reasons.append(Readiness.Item(code: refusal.rawValue, message: refusal.message))
        }
        if !pipeline.metrics.writer.isDatabaseUp.load(ordering: .relaxed) {
            let item = Readiness.Item(
                code: "database_down",
                message:
                    "PostgreSQL takes no batches; intake goes on, \(pipeline.extents.waitingCount) lines wait in the spool"
            )
            if isStrict { readiness.reasons.append(item) } else { readiness.notes.append(item) }
        }
        if let stall = pipeline.metrics.writer.writing.state.stall {
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
