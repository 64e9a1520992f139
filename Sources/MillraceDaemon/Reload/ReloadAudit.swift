import Logging
import MillraceAPI
import MillraceConfiguration
import MillraceJSON
import MillracePostgres
import MillraceTelemetry
import MillraceThreads
import MillraceWriter
import ServiceLifecycle

/// Writes reloads into the audit log.
///
/// A reload doesn't wait for PostgreSQL: rows wait here while it is away, in memory, `rowsMax` at most. Each says when it
/// was. What can't be kept, or is left at a stop, is said in the log.
struct ReloadAudit: Service {
    /// Neither keys nor values of secrets.
    struct Row: Sendable {
        var actor: AuditActor
        var report: ReloadReport
        var at: String
    }

    private static let rowsMax = 64
    private static let retry = Duration.seconds(5)

    private let primary: PrimaryGuard
    private let rows: AsyncStream<Row>
    private let add: AsyncStream<Row>.Continuation
    private let connectionString: Secret
    private let connectTimeout: Duration
    private let interrupt = PostgresInterrupt()
    private let logger: Logger

    /// `configuration`: resolved.
    init(_ configuration: DaemonConfiguration, primary: PrimaryGuard, logger: Logger) {
        self.primary = primary
        (rows, add) = AsyncStream.makeStream(bufferingPolicy: .bufferingOldest(Self.rowsMax))
        connectionString = configuration.database.url
        connectTimeout = configuration.database.connectTimeout
        self.logger = logger
    }

    func record(_ report: ReloadReport, by actor: AuditActor) {
        let row = Row(actor: actor, report: report, at: LogTime.text(WallClock.sinceEpoch))
        if case .enqueued = add.yield(row) { return }
        lost(row, "too many wait for PostgreSQL")
    }

    /// Until graceful shutdown; then what waits has one more try.
    func run() async {
        await withGracefulShutdownHandler {
            for await row in rows { await write(row) }
        } onGracefulShutdown: {
            add.finish()
        }
    }

    private func write(_ row: Row) async {
        while true {
            do {
                return try await BlockingThread.run(named: "reload-audit") { () throws(PostgresError) in try insert(row)
                }
            } catch {
                guard !Task.isShuttingDownGracefully, !Task.isCancelled else { return lost(row, "\(error)") }
                try? await cancelWhenGracefulShutdown { try await Task.sleep(for: Self.retry) }
            }
        }
    }

    private func insert(_ row: Row) throws(PostgresError) {
        let connection = try primary.connect(connectionString.value) { (url) throws(PostgresError) in
            try PostgresConnection(
                connectionString: url, applicationName: "millrace reload", connectTimeout: connectTimeout,
                interrupt: interrupt)
        }
        try connection.transaction { () throws(PostgresError) in
            try AuditLog.record(
                .settingsReload, "config.toml", before: Self.values(of: row.report.applied, \.old),
                after: .object([
                    ("at", .string(row.at)), ("applied", Self.values(of: row.report.applied, \.new)),
                    ("needs_restart", .strings(row.report.needsRestart.map(\.key))),
                ]), by: row.actor, on: connection)
        }
    }

    private func lost(_ row: Row, _ reason: String) {
        logger.error(
            "reload not in the audit log",
            metadata: [
                .applied: "\(row.report.applied.map(\.key).joined(separator: ","))", .from: "\(row.actor.name)",
                .reason: "\(reason)", .hint: "this line is all that tells of it; see that PostgreSQL answers",
            ])
    }

    private static func values(of changes: [ReloadReport.Change], _ value: (ReloadReport.Change) -> String) -> JSONValue
    {
        .object(changes.map { ($0.key, .string(value($0))) })
    }
}
