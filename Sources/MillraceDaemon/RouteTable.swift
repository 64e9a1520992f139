import FoundationEssentials
import Logging
import MillraceAPI
import MillraceConfiguration
internal import MillraceChannels
internal import MillraceEvent
import MillraceIntake
import MillracePostgres
import MillraceSpool
import MillraceTelemetry
import MillraceTreatment
import MillraceWriter
import NIOCore
import NIOHTTPTypes
import Synchronization

/// The routes in force. A reload puts new ones in their place, for the next request of each connection.
final class RouteTable: Sendable {
    private let current: Live<APIRoutes>
    private let keySets: RemoteTokenKeys
    private let reload: @Sendable (AuditActor) async throws -> ReloadReport
    private let pipeline: Pipeline
    private let reading: Reading
    private let board: LiveBoard
    private let saves: KnownSaves
    private let savesFile: KnownSavesFile
    private let logger: Logger

    /// `keySets`: the keys of `jwt.jwks_url`. `board`: for who watches. `policy`: of saves. `reload`: what `POST /v1/reload` does. Throws `TokenVerifier.KeyError`, and
    /// errors of reading `jwt.jwks_file`.
    init(
        _ configuration: DaemonConfiguration, pipeline: Pipeline, reading: Reading, board: LiveBoard,
        keySets: RemoteTokenKeys, policy: LinePolicy?, logger: Logger,
        reload: @escaping @Sendable (AuditActor) async throws -> ReloadReport
    ) async throws {
        self.keySets = keySets
        self.reload = reload
        self.pipeline = pipeline
        self.reading = reading
        self.board = board
        self.logger = logger
        let savesMax = configuration.routes.knownSavesMax
        let file = KnownSavesFile(directory: configuration.spool.directory, savesMax: savesMax, logger: logger)
        savesFile = file
        saves = KnownSaves(savesMax: savesMax, saves: await file.load()) { await file.append($0) }
        current = Live(
            try await Self.routes(
                configuration, pipeline: pipeline, reading: reading, board: board, keySets: keySets, saves: saves,
                policy: policy, logger: logger, reload: reload))
    }

    /// Answers the requests of one connection.
    func handle(_ connection: NIOAsyncChannel<HTTPRequestPart, HTTPResponsePart>) async {
        await APIRoutes.handle(connection, by: current)
    }

    /// Routes that go by `configuration`, with its token keys, and by `settings`. Throws as `init` does.
    func routes(_ configuration: DaemonConfiguration, _ settings: StageSettings) async throws -> APIRoutes {
        var reading = reading
        reading.configuration = settings.reading
        return try await Self.routes(
            configuration, pipeline: pipeline, reading: reading, board: board, keySets: keySets, saves: saves,
            policy: settings.policy, logger: logger, reload: reload)
    }

    /// Forgets whose the latest saves of these users are. Throws errors of the disk.
    func forget(_ users: Set<UniqueID>) async throws {
        saves.forget(users)
        try await savesFile.forget(users)
    }

    func replace(with routes: APIRoutes) {
        current.replace(with: routes)
    }

    private static func routes(
        _ configuration: DaemonConfiguration, pipeline: Pipeline, reading: Reading, board: LiveBoard,
        keySets: RemoteTokenKeys, saves: KnownSaves, policy: LinePolicy?, logger: Logger,
        reload: @escaping @Sendable (AuditActor) async throws -> ReloadReport
    ) async throws -> APIRoutes {
        var settings = APIRoutesConfiguration()
        settings.api = configuration.api
        settings.routes = configuration.routes
        settings.streams = configuration.streams
        settings.eventLimits = configuration.eventLimits
        settings.policy = policy
        settings.retryAfterSeconds = configuration.http.retryAfterSeconds
        settings.memory = pipeline.memory
        settings.keys = pipeline.keys
        settings.auth = configuration.auth
        settings.page = configuration.page
        settings.sessions = pipeline.sessions
        settings.version = Version.current
        let jwt = configuration.jwt
        let jwks = jwt.jwksFile.isEmpty ? nil : try Self.text(ofKeySet: jwt.jwksFile)
        let verifier = try await TokenVerifier(jwt, jwks: jwks, remote: jwt.jwksURL.isEmpty ? nil : keySets)
        let metrics = pipeline.metrics
        let isStrict = configuration.routes.strictHealthChecks
        let live = LiveSources(feed: board.feed, streams: board.streams) { reader in
            board.tick(
                for: reader, every: configuration.streams.interval, readiness(of: pipeline, isStrict: isStrict))
        }
        return APIRoutes(
            configuration: settings, channel: pipeline.channel,
            verifier: verifier, reading: reading, saves: saves,
            logger: logger,
            readiness: { readiness(of: pipeline, isStrict: isStrict) },
            metrics: { metrics.text() },
            latencies: { metrics.latencySnapshot() },
            reload: reload,
            erase: {
                try await ErasureService.queue(
                    $0, of: $1, by: $2, configuration.database, pipeline.primary, logger: logger)
            },
            live: live,
            retry: { [reading] ids, tenant, actor in
                try await LetterRetry.run(
                    ids, of: tenant, by: actor, configuration, pipeline.primary,
                    packs: reading.catalog.definitions, policy: policy, keys: reading.configuration.fieldKeys,
                    logger: logger)
            },
            onAccepted: { metrics.intake.countAccepted(.conversation, 1, tenant: $0) },
            onTreated: { metrics.intake.count($0) },
            onRefused: { metrics.intake.refused($0).add(1) },
            onSampledOut: { metrics.intake.sampledOut(.conversation).add(1) }
        )
    }

    private static func text(ofKeySet path: String) throws -> String {
        do {
            return try String(contentsOfFile: path, encoding: .utf8)
        } catch {
            throw TokenVerifier.KeyError(
                description: "jwt.jwks_file \(path) can't be read as text; name a file that the daemon's user may read")
        }
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
        if let finding = pipeline.metrics.writer.slowestStandby.withLock({ $0?.finding }) {
            readiness.notes.append(Readiness.Item(code: "standby_lag", message: "\(finding); \(StandbyLag.hint)"))
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
