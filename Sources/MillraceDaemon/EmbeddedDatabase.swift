import FoundationEssentials
import Logging
import MillraceBackup
import MillraceConfiguration
internal import MillraceThreads
import MillracePostgres
import MillraceProjections
import MillraceTelemetry
import MillraceWriter
import ServiceLifecycle

/// The private PostgreSQL of `serve --embedded`: started and migrated before the stages, stopped after them.
/// Its steps block, and have a thread of their own.
struct EmbeddedDatabase {
    private let cluster: EmbeddedCluster
    private let configuration: DaemonConfiguration
    private let logger: Logger

    init(configuration: DaemonConfiguration, logger: Logger) {
        cluster = configuration.embeddedCluster
        self.configuration = configuration
        self.logger = logger
    }

    /// Makes the data directory if there is none, and the tables of `packs`. Returns the connection string of the daemon's role.
    func start(installing packs: [PackDefinition]) async throws -> String {
        try await BlockingThread.run(named: "embedded") { try startNow(packs) }
    }

    private func startNow(_ packs: [PackDefinition]) throws -> String {
        try FileManager.default.createDirectory(
            atPath: configuration.data.directory, withIntermediateDirectories: true)
        if configuration.backup.wal { try BackupStore(directory: configuration.backupDirectory).prepare() }
        try cluster.start(timeout: configuration.embedded.startTimeout, progress: tell)
        let connection = try PostgresConnection(
            connectionString: cluster.connectionString, applicationName: "millrace migrate",
            connectTimeout: configuration.database.connectTimeout, interrupt: PostgresInterrupt(), logger: logger
        )
        try Migrator(connection: connection).up { migration in
            logger.notice("migrated", metadata: [.version: "\(migration.version)", .title: "\(migration.title)"])
        }
        for (pack, outcome) in try PackInstaller(connection: connection).install(packs) {
            switch outcome {
            case .alreadyThere: continue
            case .upgraded(let version):
                logger.notice(
                    "pack upgraded",
                    metadata: [.pack: "\(pack.name)", .from: "\(version)", .version: "\(pack.version)"])
            case .live:
                logger.notice("pack installed", metadata: [.pack: "\(pack.name)", .version: "\(pack.version)"])
            case .building(let batches):
                logger.warning(
                    "pack installed, not live yet",
                    metadata: [
                        .pack: "\(pack.name)", .version: "\(pack.version)", .batches: "\(batches)",
                        .hint: "run `millrace projections rebuild \(pack.name)`",
                    ])
            }
        }
        logger.notice(
            "embedded database ready",
            metadata: [
                .psql: "psql \"\(cluster.connectionString(role: "millrace", database: "millrace"))\""
            ])
        return cluster.connectionString
    }

    private func tell(_ step: String) {
        logger.notice("embedded database", metadata: [.step: "\(step)"])
    }

    var isRunning: Bool {
        get async { await BlockingThread.run(named: "embedded") { cluster.isAlive } }
    }

    var ended: EmbeddedClusterError {
        get async { await BlockingThread.run(named: "embedded") { cluster.ended } }
    }

    /// A database that does not stop in time goes on stopping by itself.
    func stop() async {
        await BlockingThread.run(named: "embedded") {
            do {
                try cluster.stop(timeout: configuration.embedded.stopTimeout, progress: tell)
            } catch {
                logger.warning("embedded database not stopped", metadata: [.error: "\(error)"])
            }
        }
    }
}

/// Ends the daemon when its private PostgreSQL has ended by itself: the next start starts it again.
struct EmbeddedWatchService: Service {
    /// Between two looks.
    private static let interval = Duration.seconds(1)
    /// An operator's `pg_ctl restart` takes less.
    private static let absenceMax = Duration.seconds(5)

    let database: EmbeddedDatabase

    /// Until graceful shutdown; throws `EmbeddedClusterError`.
    func run() async throws {
        try await cancelWhenGracefulShutdown {
            var seenAt = ContinuousClock.now
            while !Task.isCancelled {
                if await database.isRunning { seenAt = .now }
                guard ContinuousClock.now - seenAt < Self.absenceMax else { throw await database.ended }
                try? await Task.sleep(for: Self.interval)
            }
        }
    }
}
