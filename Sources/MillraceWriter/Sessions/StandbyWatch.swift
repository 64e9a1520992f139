import Logging
import MillracePostgres
import MillraceTelemetry
import Synchronization

/// Looks how far the standbys are behind, over the ledger's session, and says when the spool keeps lines for too short a time.
struct StandbyWatch {
    private static let interval = Duration.seconds(1)
    /// Without standbys.
    private static let idleInterval = Duration.seconds(10)

    /// Rows of (end of the log, name, position): standbys, and those that left a slot behind them. Backups and mere receivers
    /// of the log replay nothing. One row without a name where there are none.
    private static let query = """
        SELECT pg_current_wal_insert_lsn()::text, standby.name, standby.replayed::text
        FROM (VALUES (true)) AS always (is_there)
        LEFT JOIN (
            SELECT application_name AS name, replay_lsn AS replayed
            FROM pg_catalog.pg_stat_replication
            WHERE state IS DISTINCT FROM 'backup' AND application_name IS DISTINCT FROM 'pg_receivewal'
            UNION ALL
            SELECT slot_name, restart_lsn
            FROM pg_catalog.pg_replication_slots
            WHERE slot_type = 'physical' AND NOT active
        ) AS standby ON is_there
        """

    private let logger: Logger
    private var lag = StandbyLag()
    private var due = ContinuousClock.now

    init(logger: Logger) {
        self.logger = logger
    }

    mutating func look(
        on connection: PostgresConnection, _ metrics: WriterMetrics, _ configuration: WriterConfiguration,
        now: ContinuousClock.Instant = .now
    ) throws(PostgresError) {
        guard now >= due else { return }
        let answer = try connection.execute(Self.query, timeout: configuration.database.statementTimeout)
        let standbys = (0..<answer.rowCount).map { row in
            StandbyRequirement.Standby(
                name: answer.string(row, 1), replayed: answer.string(row, 2).flatMap(LogPosition.init))
        }
        due = now + (standbys.contains { $0.replayed != nil } ? Self.interval : Self.idleInterval)
        guard let end = answer.string(0, 0).flatMap({ LogPosition($0) }) else { return }
        let (slowest, isNew) = lag.looked(
            end: end, standbys, beside: configuration.retainUntilReplayed, retain: configuration.retain, at: now)
        metrics.slowestStandby.withLock { $0 = slowest }
        if isNew { say(slowest) }
    }

    private func say(_ slowest: StandbyLag.Slowest?) {
        guard let slowest, let finding = slowest.finding else {
            return logger.notice("no standby is too far behind any more", metadata: [:])
        }
        let fields: Logger.Fields = [
            .standby: "\(slowest.name)", .seconds: "\(slowest.lag.components.seconds)", .finding: "\(finding)",
            .hint: "\(StandbyLag.hint)",
        ]
        if slowest.standing == .beyond {
            logger.error("standby is further behind than the spool keeps lines", metadata: fields)
        } else {
            logger.warning("standby is nearly as far behind as the spool keeps lines", metadata: fields)
        }
    }
}

extension StandbyLag.Slowest {
    /// What an operator should know of it; nil: nothing.
    package var finding: String? {
        let seconds = lag.components.seconds
        return switch standing {
        case .fine: nil
        case .near:
            "the standby \(name) is \(seconds) s behind, nearly as much as the spool keeps settled lines for (spool.retain)"
        case .beyond:
            "the standby \(name) is \(seconds) s behind, more than the spool keeps settled lines for (spool.retain): "
                + "promoted now, it would lack lines that nobody has any more"
        }
    }
}

extension StandbyLag {
    /// The operator's next step.
    package static let hint =
        "see why it does not replay; until it does, raise spool.retain, or name it in spool.retain_until_replayed"
}
