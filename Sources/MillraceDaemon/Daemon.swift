internal import CBuild
package import Logging
package import MillraceConfiguration
import MillraceAPI
internal import MillraceChannels
internal import MillraceEvent
import MillraceIntake
import MillracePostgres
import MillraceProjections
import MillraceSpool
package import MillraceTelemetry
import MillraceTreatment
import MillraceWriter
import NIOCore
import NIOPosix
import ServiceLifecycle
import UnixSignals

/// The whole: makes the stages, joins them by their channels, and runs them until a signal.
///
/// Services are listed downstream first, so that a stop goes with the stream: the intake stops and answers, the spool
/// makes durable what was received, the writers commit what PostgreSQL takes within `database.drain_limit`.
package struct Daemon {
    private let configuration: DaemonConfiguration
    private let isEmbedded: Bool
    private let reload: @Sendable () throws -> LoadedConfiguration
    private let environment: [String: String]
    private let log: LogWriter
    private let logSettings: LogSettings
    private let logger: Logger

    /// - Parameters:
    ///   - isEmbedded: start a private PostgreSQL under the data directory and migrate it.
    ///   - reload: reads the configuration again.
    ///   - environment: of the process, for the service manager's variables.
    ///   - log, logSettings: what `logger` writes by.
    package init(
        configuration: DaemonConfiguration, isEmbedded: Bool, environment: [String: String], log: LogWriter,
        logSettings: LogSettings, logger: Logger, reload: @escaping @Sendable () throws -> LoadedConfiguration
    ) {
        self.configuration = configuration
        self.isEmbedded = isEmbedded
        self.environment = environment
        self.log = log
        self.logSettings = logSettings
        self.logger = logger
        self.reload = reload
    }

    /// Runs until SIGTERM or SIGINT. Throws what keeps the daemon from starting, or ends it.
    package func run() async throws {
        let projections = configuration.projections
        let packs = try PackLoader(directory: projections.directory).load(projections.packs)
        guard isEmbedded else { return try await serve(packs, nil) { $0.resolved } }
        let database = EmbeddedDatabase(configuration: configuration, logger: logger)
        do {
            let url = Secret(try await database.start(installing: packs))
            try await serve(packs, database) { configuration in
                var configuration = configuration
                configuration.database.url = url
                return configuration.resolved
            }
        } catch {
            await database.stop()
            throw error
        }
        await database.stop()
    }

    /// `embedded`: the database, when it is the daemon's own. `resolve`: puts in what follows from several keys, and from
    /// the start.
    private func serve(
        _ packs: [PackDefinition], _ embedded: EmbeddedDatabase?,
        resolve: @escaping @Sendable (DaemonConfiguration) -> DaemonConfiguration
    ) async throws {
        let configuration = resolve(self.configuration)
        let primary = TimelineFile(directory: configuration.spool.directory).guarding(logger: logger)
        let audit = ReloadAudit(configuration, primary: primary, logger: logger)
        let reloader = Reloader(
            running: self.configuration, audit: audit, logger: logger, load: reload, resolve: resolve)
        ProcessMemory.releaseCode()  // of the dynamic linker, of the command line
        // Dispatch opens a file for its timers at the first of them, and ends the process where there is none left to open.
        try? await Task.sleep(for: .milliseconds(1))
        let files = openFiles(configuration)
        let sockets = try SocketActivation(environment: environment, configuration: configuration)
        let pipeline = Pipeline(
            configuration, primary: primary, packs: packs.map(\.name),
            wantsKeys: configuration.wantsKeys || sockets.areRemote, log: log)
        tellPlainListeners(configuration, sockets)
        let spool = try SpoolService(
            configuration.spool, epoch: SequenceEpoch(at: .now), channel: pipeline.channel, extents: pipeline.extents,
            board: pipeline.board, metrics: pipeline.metrics.spool, logger: logger)
        let addresses = BoundAddresses()
        let oldestWaitingAt = pipeline.metrics.observeOldest(in: spool.store)
        let facts = DaemonFacts(listeners: { addresses.all }, oldestWaitingAt: oldestWaitingAt)
        let keys = KeyRefreshService(
            configuration, primary: primary, ring: pipeline.keys, metrics: pipeline.metrics.keys, logger: logger)
        await keys.begin()
        try await ProjectionGate(configuration: configuration, logger: logger).check(packs)
        let certificates = try certificates(configuration)
        pipeline.metrics.observeCertificates(certificates)
        let settings = try StageSettings(
            configuration, packs: packs, sockets: sockets, files: files, memory: pipeline.memory,
            access: pipeline.access, certificates: certificates, rules: try rules(configuration),
            counters: pipeline.metrics.rules, spool: spool.store.spoolID)
        let live = LiveSettings(settings, pipeline.access)
        let board = LiveBoard(
            pipeline, live, spool: configuration.spool, feed: EventFeed(), oldestWaitingAt: oldestWaitingAt)
        let writers = WriterStage(
            configuration: live.writer, primary: primary, spool: spool.store, extents: pipeline.extents,
            board: pipeline.board, metrics: pipeline.metrics.writer, feed: board.feed, facts: facts, logger: logger)
        let reads = ReadStage(
            configuration, settings: settings.reading, packs: packs, primary: primary, metrics: pipeline.metrics,
            logger: logger)
        let loops = MultiThreadedEventLoopGroup(numberOfThreads: configuration.intake.threads)
        let keySets = await KeySetService(
            settings: Live(configuration.jwt), file: KeySetFile(spoolDirectory: configuration.spool.directory),
            group: loops, metrics: pipeline.metrics.keySets, logger: logger)
        let routes = try await RouteTable(
            configuration, pipeline: pipeline, reading: reads.reading, board: board, keySets: keySets.keys,
            policy: settings.policy, logger: logger
        ) { try await reloader.reload(for: $0) }
        await reloader.set([
            .stages(live, reads, pipeline, routes) { configuration in
                try StageSettings(
                    configuration, packs: packs, sockets: sockets, files: openFiles(configuration),
                    memory: pipeline.memory, access: pipeline.access, certificates: certificates,
                    rules: try rules(configuration), counters: pipeline.metrics.rules,
                    spool: spool.store.spoolID)
            }, .rules(live), .tokens(keySets), .log(logSettings), .certificates(certificates),
        ])
        let outbox = OutboxService(
            configuration: configuration, primary: primary, channel: pipeline.channel, metrics: pipeline.metrics.outbox,
            logger: logger, policy: { live.tcp.value.policy }, intake: pipeline.metrics.intake)
        let months = MonthsService(
            configuration: configuration, primary: primary, packs: packs, metrics: pipeline.metrics.months,
            logger: logger)
        let erasure = ErasureService(
            configuration, primary: primary, packs: packs, spool: spool, routes: routes, logger: logger)
        let (bound, listening) = AsyncStream<[String]>.makeStream()
        let intake = intake(live, pipeline, routes, reads, loops) { bound in
            addresses.add(bound)
            listening.yield(bound)
        }
        let manager = manager(
            reloader, ReloadAnswerFile(spoolDirectory: configuration.spool.directory), bound)
        var stages: [any Service] = [
            writers, spool, outbox, erasure, months, keys, audit, keySets, intake, manager,
        ]
        if let log = latencyLog(configuration.latency, pipeline.metrics) { stages.insert(log, at: 0) }
        if let embedded { stages.insert(EmbeddedWatchService(database: embedded), at: 0) }
        do {
            try await run(stages)
        } catch {
            try? await loops.shutdownGracefully()
            throw error
        }
        try await loops.shutdownGracefully()
        logger.info("stopped")
    }

    /// Says loudly which listeners others reach without TLS.
    private func tellPlainListeners(_ configuration: DaemonConfiguration, _ sockets: SocketActivation) {
        let plain = configuration.remoteListeners.filter { !$0.hasTLS }.map(\.address) + sockets.plainRemote
        guard !plain.isEmpty else { return }
        logger.warning(
            "listening without TLS",
            metadata: [
                .addresses: "\(plain.joined(separator: ", "))",
                .hint:
                    """
                auth.plaintext_behind_proxy: keys and events pass as plain text; only a proxy that ends TLS, on a private \
                network, may reach these
                """,
            ])
    }

    /// Raises the limit as far as may be, and says what follows where that is too little.
    private func openFiles(_ configuration: DaemonConfiguration) -> DescriptorPlan {
        let wanted = DescriptorPlan(configuration, limit: .max)
        let files = DescriptorPlan(configuration, limit: DescriptorLimit.raise(to: wanted.needed))
        let limit = "\(files.limit)"
        if files.suffices {
            logger.info("open files", metadata: [.limit: "\(limit)", .needed: "\(files.needed)"])
        } else {
            logger.warning(
                "too few open files for all connections",
                metadata: [
                    .limit: "\(limit)", .needed: "\(files.needed)", .tcpConnections: "\(files.tcp.connections)",
                    .httpConnections: "\(files.http.connections)",
                    .hint:
                        "raise LimitNOFILE in the unit (ulimit -Hn), or lower tcp.connections_max, http.connections_max",
                ])
        }
        return files
    }

    /// Nil where there are none. Throws `RulesErrors`; blocks on the disk.
    private func rules(_ configuration: DaemonConfiguration) throws -> RuleSet? {
        configuration.rules.file.isEmpty ? nil : try RulesFile(path: configuration.rules.file).rules
    }

    /// Nil where no listener speaks TLS. Throws `TLSFileError`; blocks on the disk.
    private func certificates(_ configuration: DaemonConfiguration) throws -> TLSCertificates? {
        guard configuration.tcp.tls || configuration.http.tls else { return nil }
        return try TLSCertificates(configuration.tls, logger: logger)
    }

    /// `listening`: told by each intake what it is bound to.
    private func intake(
        _ settings: LiveSettings, _ pipeline: Pipeline, _ routes: RouteTable, _ reads: ReadStage,
        _ loops: MultiThreadedEventLoopGroup, _ listening: @escaping @Sendable ([String]) -> Void
    ) -> IntakeStage {
        let tcp = TCPIntakeService(
            configuration: settings.tcp, channel: pipeline.channel, metrics: pipeline.metrics.intake, group: loops,
            logger: logger
        ) { addresses in
            listening(addresses.map { "tcp \($0)" })
        }
        let http = HTTPIntakeService(
            configuration: settings.http, channel: pipeline.channel, metrics: pipeline.metrics.intake, group: loops,
            logger: logger, routes: { await routes.handle($0) }
        ) { addresses in
            listening(addresses.map { "http \($0)" })
        }
        return IntakeStage(tcp: tcp, http: http, reads: reads)
    }

    /// `bound`: what each intake is bound to, once it is.
    private func manager(
        _ reloader: Reloader, _ answer: ReloadAnswerFile, _ bound: AsyncStream<[String]>
    ) -> ServiceManagerService {
        ServiceManagerService(
            manager: ServiceManager(environment: environment),
            untilReady: {
                let addresses = await bound.prefix(IntakeStage.intakes).reduce(into: []) { $0 += $1 }
                // A listener that could not be bound ends the wait: nobody is to be told that the daemon is ready.
                try Task.checkCancellation()
                ProcessMemory.releaseCode()
                return "listening on \(addresses.joined(separator: ", "))"
            },
            // What came of it is in the log.
            reload: {
                let actor = AuditActor(.system, name: AuditActor.process.name, origin: "SIGHUP")
                do {
                    answer.write(try await reloader.reload(for: actor))
                } catch {
                    answer.write((error as? ReloadRefusal ?? ReloadRefusal(reasons: ["\(error)"])).answer)
                }
            },
            logger: logger)
    }

    /// nil unless `latency.log` is set.
    private func latencyLog(_ latency: LatencyConfiguration, _ metrics: DaemonMetrics) -> LatencyLogService? {
        guard !latency.log.isEmpty else { return nil }
        return LatencyLogService(
            file: LatencyLogFile(path: latency.log, bytesMax: latency.logBytesMax, rotatedMax: latency.logFiles),
            interval: latency.logInterval, startedAt: metrics.startedAt, logger: logger,
            snapshot: { metrics.latencySnapshot() })
    }

    /// Until a signal; throws what a stage failed by.
    private func run(_ stages: [any Service]) async throws {
        var services = ServiceGroupConfiguration(
            services: stages, gracefulShutdownSignals: [.sigterm, .sigint], logger: logger)
        // Each stage bounds its own stop; this is for a stage that fails to.
        services.maximumGracefulShutdownDuration =
            configuration.intake.drainLimit + configuration.database.drainLimit + .seconds(10)
        // Also once a stage has failed: what hangs then is ended with the process. The spool holds it all.
        services.maximumCancellationDuration = .seconds(20)
        try await ServiceGroup(configuration: services).run()
    }
}

/// The release, as `--version`, the TCP greeting and `ingest_spools` say it.
package enum Version {
    /// As semver.org writes it.
    package static let current = "0.1.0"

    /// Of the sources, as `git describe` names it; empty where the build was not told (`make build` tells it).
    package static let commit = String(cString: mr_build_commit())

    /// With the commit as build metadata, where it is known: `0.1.0+0123456789ab`.
    package static let full = commit.isEmpty ? current : "\(current)+\(commit)"

    /// For `--version`: `0.1.0 (commit 0123456789ab, schema 28, PostgreSQL 15 or newer)`.
    package static let description: String = {
        let facts =
            (commit.isEmpty ? [] : ["commit \(commit)"]) + [
                "schema \(Migration.all.count)", "PostgreSQL \(PostgresInstallation.majorMin) or newer",
            ]
        return "\(current) (\(facts.joined(separator: ", ")))"
    }()
}
