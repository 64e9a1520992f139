package import Logging
package import MillraceConfiguration
internal import MillraceChannels
internal import MillraceEvent
import MillraceIntake
import MillracePostgres
import MillraceProjections
import MillraceSpool
package import MillraceTelemetry
import MillraceWriter
import NIOCore
import NIOPosix
import ServiceLifecycle
import Synchronization
import UnixSignals

/// The whole: makes the stages, joins them by their channels, and runs them until a signal.
///
/// Services are listed downstream first, so that a stop goes with the stream: the intake stops and answers, the spool
/// makes durable what was received, the writers commit what PostgreSQL takes within `database.drain_limit`.
package struct Daemon {
    private let configuration: DaemonConfiguration
    private let isEmbedded: Bool
    private let reload: @Sendable () throws -> DaemonConfiguration
    private let environment: [String: String]
    private let log: LogWriter
    private let logger: Logger

    /// - Parameters:
    ///   - isEmbedded: start a private PostgreSQL under the data directory and migrate it.
    ///   - reload: reads the configuration again, on SIGHUP.
    ///   - environment: of the process, for the service manager's variables.
    ///   - log: what `logger` writes by.
    package init(
        configuration: DaemonConfiguration, isEmbedded: Bool, environment: [String: String], log: LogWriter,
        logger: Logger, reload: @escaping @Sendable () throws -> DaemonConfiguration
    ) {
        self.configuration = configuration
        self.isEmbedded = isEmbedded
        self.environment = environment
        self.log = log
        self.logger = logger
        self.reload = reload
    }

    /// Runs until SIGTERM or SIGINT. Throws what keeps the daemon from starting, or ends it.
    package func run() async throws {
        let packs = try PackLoader(directory: configuration.projections.directory).load(configuration.projections.packs)
        guard isEmbedded else { return try await serve(configuration.database.url.value, packs, nil) }
        let database = EmbeddedDatabase(configuration: configuration, logger: logger)
        do {
            try await serve(try await database.start(installing: packs), packs, database)
        } catch {
            await database.stop()
            throw error
        }
        await database.stop()
    }

    /// `embedded`: the database at `databaseURL`, when it is the daemon's own.
    private func serve(
        _ databaseURL: String, _ packs: [PackDefinition], _ embedded: EmbeddedDatabase?
    ) async throws {
        ProcessMemory.releaseCode()  // of the dynamic linker, of the command line
        var settings = try StageSettings(configuration, databaseURL: databaseURL)
        settings.writer.packs = packs
        settings.fit(openFiles())
        settings.listen(on: try SocketActivation(environment: environment))
        let channel = RecordChannel(bytesMax: configuration.spool.queueBytes)
        let extents = ExtentChannel(
            rowsMax: configuration.database.batchRows, bytesMax: configuration.database.batchBytes)
        let board = CommitBoard()
        let metrics = DaemonMetrics(
            channel: channel, extents: extents, spoolDirectory: configuration.spoolDirectory,
            stallAfter: configuration.database.stallAfter, log: log)
        metrics.bootstrap()
        metrics.observeMemory(settings.memory)
        metrics.observeProjections(settings.writer.packs.map(\.name))
        let spool = try SpoolService(
            settings.spool, epoch: SequenceEpoch(at: .now), channel: channel, extents: extents, board: board,
            metrics: metrics.spool, logger: logger)
        metrics.observeOldest(in: spool.store)
        try await ProjectionGate(configuration: configuration, logger: logger).check(
            settings.writer.packs, databaseURL: databaseURL)
        let writers = WriterStage(
            configuration: settings.writer, partitionOptions: settings.partitions, spool: spool.store, extents: extents,
            board: board, metrics: metrics.writer, logger: logger)

        let group = MultiThreadedEventLoopGroup(numberOfThreads: configuration.intake.threads)
        let countdown = ListenerCountdown(intakes: 2)
        let reads = ReadStage(
            configuration, databaseURL: databaseURL, packs: packs,
            cursorKey: try CursorKeyFile(spoolDirectory: configuration.spoolDirectory).key(
                configured: configuration.api.cursorKey), memory: settings.memory,
            metrics: metrics.reads, logger: logger
        ) {
            metrics.writer.isDatabaseUp.load(ordering: .relaxed)
        }
        let routes = try await RouteTable(
            configuration, channel: channel, metrics: metrics, extents: extents, reading: reads.reading, logger: logger)
        let tcp = TCPIntakeService(
            configuration: settings.tcp, channel: channel, metrics: metrics.intake, group: group, logger: logger
        ) { addresses in
            countdown.listening(addresses.map { "tcp \($0)" })
        }
        let http = HTTPIntakeService(
            configuration: settings.http, channel: channel, metrics: metrics.intake, group: group, logger: logger,
            routes: { await routes.handle($0) }
        ) { addresses in
            countdown.listening(addresses.map { "http \($0)" })
        }
        let manager = ServiceManagerService(
            manager: ServiceManager(environment: environment),
            untilReady: {
                let addresses = try await countdown.addresses()
                ProcessMemory.releaseCode()
                return "listening on \(addresses.joined(separator: ", "))"
            },
            reload: {
                do {
                    try await routes.reload(reload())
                    logger.notice("reloaded", metadata: ["hint": "jwt keys are in force; other keys want a restart"])
                } catch {
                    logger.error("not reloaded", metadata: ["error": "\(error)"])
                }
            },
            logger: logger
        )
        let outbox = OutboxService(
            configuration: settings.outbox, channel: channel, metrics: metrics.outbox, logger: logger)
        var stages: [any Service] = [
            writers, spool, outbox, IntakeStage(tcp: tcp, http: http, reads: reads), manager,
        ]
        if let log = latencyLog(metrics) { stages.insert(log, at: 0) }
        if let embedded { stages.insert(EmbeddedWatchService(database: embedded), at: 0) }
        var services = ServiceGroupConfiguration(
            services: stages,
            gracefulShutdownSignals: [.sigterm, .sigint], logger: logger
        )
        // Each stage bounds its own stop; this is for a stage that fails to.
        services.maximumGracefulShutdownDuration =
            configuration.intake.drainLimit + configuration.database.drainLimit + .seconds(10)
        // Also once a stage has failed: what hangs then is ended with the process. The spool holds it all.
        services.maximumCancellationDuration = .seconds(20)
        do {
            try await ServiceGroup(configuration: services).run()
        } catch {
            try? await group.shutdownGracefully()
            throw error
        }
        try await group.shutdownGracefully()
        logger.info("stopped")
    }

    /// Raises the limit as far as may be, and says what follows where that is too little.
    private func openFiles() -> DescriptorPlan {
        let wanted = DescriptorPlan(configuration, limit: .max)
        let files = DescriptorPlan(configuration, limit: DescriptorLimit.raise(to: wanted.needed))
        let limit = "\(files.limit)"
        if files.suffices {
            logger.info("open files", metadata: ["limit": "\(limit)", "needed": "\(files.needed)"])
        } else {
            logger.warning(
                "too few open files for all connections",
                metadata: [
                    "limit": "\(limit)", "needed": "\(files.needed)", "tcp_connections": "\(files.tcp.connections)",
                    "http_connections": "\(files.http.connections)",
                    "hint":
                        "raise LimitNOFILE in the unit (ulimit -Hn), or lower tcp.connections_max, http.connections_max",
                ])
        }
        return files
    }

    /// nil unless `latency.log` is set.
    private func latencyLog(_ metrics: DaemonMetrics) -> LatencyLogService? {
        let latency = configuration.latency
        guard !configuration.latencyLogPath.isEmpty else { return nil }
        return LatencyLogService(
            file: LatencyLogFile(
                path: configuration.latencyLogPath, bytesMax: latency.logBytesMax, rotatedMax: latency.logFiles),
            interval: latency.logInterval, startedAt: metrics.startedAt, logger: logger,
            snapshot: { metrics.latencySnapshot() })
    }
}
