import Logging
import MillraceEvent
import MillracePostgres
import MillraceTelemetry

/// Looks what this run's sessions wait for inside PostgreSQL while no batch gets committed: a synchronous standby that is
/// away, somebody's lock. Blocks; lives on the ledger's thread.
///
/// A writer whose connection was given up waits for its own earlier session when the server has not noticed that. Nobody
/// waits for that one's answer, so it is ended; its transaction is rolled back, or was committed and is seen in the ledger.
struct SessionWatch {
    /// Shorter waits are the ordinary course of things.
    private static let limit = Duration.seconds(5)
    private static let reportInterval = Duration.seconds(60)

    private let run: RunName
    private let lockKeys: AdvisoryLockKeys
    private let logger: Logger
    private var due = ContinuousClock.now
    /// Committed at the last look.
    private var batches = 0
    /// When each wait was last told.
    private var told: [String: ContinuousClock.Instant] = [:]

    init(run: RunName, spool: UniqueID, logger: Logger) {
        self.run = run
        self.logger = logger
        lockKeys = AdvisoryLockKeys(spool: spool)
    }

    /// Does nothing while batches are committed, or before it is time again.
    mutating func look(on connection: PostgresConnection, _ metrics: WriterMetrics) throws(PostgresError) {
        guard ContinuousClock.now >= due else { return }
        due = .now + Self.limit / 2
        let committed = metrics.batches.value
        defer { batches = committed }
        guard committed == batches, metrics.batchesInFlight.value > 0 else {
            told = [:]
            return
        }
        let waits = try connection.query(
            Self.query, parameters: [.text(run.pattern), .integer(Int64(UInt32(bitPattern: lockKeys.writerKey)))])
        for row in 0..<waits.rowCount { try report(waits, row, on: connection, metrics) }
    }

    private static let query = """
        SELECT
            waiter.application_name, waiter.wait_event,
            EXTRACT(EPOCH FROM clock_timestamp() - waiter.state_change)::bigint,
            holder.pid, holder.application_name, holder.state, holder.backend_start::text,
            waiter.wait_event = 'advisory' AND holder.usename = current_user
                AND holder.application_name LIKE 'millrace writer%'
                AND holder.backend_start < waiter.backend_start
                AND EXISTS (
                    SELECT 1
                    FROM pg_catalog.pg_locks AS lock
                    WHERE lock.pid = holder.pid AND lock.locktype = 'advisory' AND lock.objsubid = 2
                        AND lock.granted AND lock.classid = $2::bigint::oid
                )
        FROM pg_catalog.pg_stat_activity AS waiter
        LEFT JOIN LATERAL unnest(pg_blocking_pids(waiter.pid)) AS blocking (pid) ON waiter.wait_event_type = 'Lock'
        LEFT JOIN pg_catalog.pg_stat_activity AS holder ON holder.pid = blocking.pid
        WHERE waiter.application_name LIKE $1
            AND waiter.pid <> pg_backend_pid()
            AND waiter.state = 'active'
            AND (waiter.wait_event_type = 'Lock' OR waiter.wait_event = 'SyncRep')
            AND clock_timestamp() - waiter.state_change > interval '\(limit.components.seconds) seconds'
        """

    /// Tells of a wait, or ends the given-up session that holds what is waited for.
    private mutating func report(
        _ waits: borrowing PostgresResult, _ row: Int, on connection: PostgresConnection, _ metrics: WriterMetrics
    ) throws(PostgresError) {
        let name = waits.string(row, 0) ?? ""
        let event = waits.string(row, 1) ?? ""
        var holder = "nobody that is shown"
        if let pid = waits.int(row, 3) {
            holder = "session \(pid) (\(waits.string(row, 4) ?? ""), \(waits.string(row, 5) ?? "hidden"))"
            if waits.bool(row, 7) == true {
                logger.notice("given-up session ended", metadata: [.session: "\(holder)", .waiter: "\(name)"])
                try connection.query(
                    """
                    SELECT pg_terminate_backend(pid, 1000)
                    FROM pg_catalog.pg_stat_activity
                    WHERE pid = $1::integer AND backend_start = $2::timestamptz
                    """, parameters: [.integer(pid), .text(waits.string(row, 6) ?? "")])
                return
            }
        }
        let isOfStandby = event == "SyncRep"
        let reason = LockHolder.explained(event)
        let holderSaid = isOfStandby ? "the standby" : holder
        let hint =
            isOfStandby
            ? "bring the standby back, or take it out of synchronous_standby_names"
            : "see pg_stat_activity; pg_terminate_backend ends the session that holds it"
        metrics.writing.apply(
            .batchWaits(
                WritingFault(
                    code: "waits_in_database", message: "a batch waits for \(reason), held by \(holderSaid)", hint: hint
                )))
        let key = "\(name) \(event)"
        if let last = told[key], ContinuousClock.now - last < Self.reportInterval { return }
        told[key] = .now
        logger.warning(
            "a session waits inside the database",
            metadata: [
                .session: "\(name)", .waitsFor: "\(reason)", .seconds: "\(waits.int(row, 2) ?? 0)",
                .heldBy: "\(holderSaid)", .hint: "\(hint)",
            ])
    }
}
