package import MillracePostgres

/// The locks around the packs' tables. Batches hold `AdvisoryLock.projections`, 0 shared; who changes the set of versions
/// holds it alone, so that no batch is under way.
package struct ProjectionsLock {
    /// Limit of each wait for a lock; short, because batches queue up after it meanwhile.
    private static let waitMax = Duration.seconds(2)
    private static let attemptsMax = 30
    /// For the batches under way, and for what workers have prepared and not ended: Citus looks once a minute.
    private static let stillWaitMax = Duration.seconds(60)
    private static let leftoversWaitMax = Duration.seconds(150)

    /// Taken by whoever folds, at the beginning of the transaction.
    package static let sharedStatement = "SELECT pg_advisory_xact_lock_shared(\(AdvisoryLock.projections.rawValue), 0)"

    private let connection: PostgresConnection

    package init(connection: PostgresConnection) {
        self.connection = connection
    }

    /// Runs `body` in a transaction while no batch is under way. Tried again while locks can't be had, so `body` may
    /// run more than once; throws 55P03 in the end.
    package func alone<Answer>(_ body: () throws -> Answer) throws -> Answer {
        var backoff = Backoff(min: .milliseconds(100), max: .seconds(2))
        while true {
            do {
                return try transaction { () throws -> Answer in
                    try connection.execute(
                        """
                        SET LOCAL lock_timeout = \(Self.waitMax.components.seconds * 1000);
                        SELECT pg_advisory_xact_lock(\(AdvisoryLock.projections.rawValue), 0)
                        """)
                    return try body()
                }
            } catch let error as PostgresError {
                let isContention = error.sqlState == .lockNotAvailable || error.sqlState == .deadlockDetected
                guard isContention, backoff.attempts + 1 < Self.attemptsMax, connection.isUsable else { throw error }
                try connection.interrupt.pause(for: backoff.next())
            }
        }
    }

    /// Begins a transaction that sees one moment of ledger, tables and projections. With Citus, whose workers have no snapshot
    /// in common, batches wait in their spools until it ends, and nobody joins the ledger; what workers have not ended is
    /// waited for first.
    package func beginStill() throws(PostgresError) {
        guard let leftovers = try TwoPhaseLeftovers(connection) else {
            try connection.execute("BEGIN ISOLATION LEVEL REPEATABLE READ")
            return
        }
        do throws(PostgresError) {
            try connection.execute(
                """
                BEGIN;
                SET LOCAL lock_timeout = \(Self.stillWaitMax.components.seconds * 1000);
                SELECT pg_advisory_xact_lock(\(AdvisoryLock.projections.rawValue), 0);
                SELECT pg_advisory_xact_lock(\(AdvisoryLock.ledger.rawValue), 0);
                SET LOCAL lock_timeout TO DEFAULT
                """, timeout: Self.stillWaitMax + .seconds(30))
            guard try leftovers.wait(upTo: Self.leftoversWaitMax) > 0 else { return }
        } catch {
            rollBack()
            throw error
        }
        rollBack()
        throw PostgresError(
            code: .timedOut, message: "workers hold prepared transactions that Citus has not ended",
            hint:
                "See pg_prepared_xacts of the workers; `SELECT recover_prepared_transactions()` on the coordinator, as a "
                + "superuser, ends them.")
    }

    /// `PostgresConnection.transaction` for a body that throws more than errors of the database.
    package func transaction<Answer>(isolation: String = "READ COMMITTED", _ body: () throws -> Answer) throws -> Answer
    {
        try connection.execute("BEGIN ISOLATION LEVEL \(isolation)")
        do {
            let answer = try body()
            try connection.commit()
            return answer
        } catch {
            rollBack()
            throw error
        }
    }

    /// A connection that can't roll back is of no use any more.
    package func rollBack() {
        guard connection.isUsable, connection.transactionStatus != .idle else { return }
        do throws(PostgresError) { try connection.execute("ROLLBACK") } catch { connection.close() }
    }

    /// Held by the session: a rebuild runs alone, recounts beside each other. Waits a little, since the session of a
    /// rebuild that was killed lives on for a second. Throws `busy`.
    package func hold(alone: Bool) throws {
        do throws(PostgresError) {
            try connection.execute(
                """
                BEGIN;
                SET LOCAL lock_timeout = 5000;
                SELECT pg_advisory_lock\(alone ? "" : "_shared")(\(AdvisoryLock.projections.rawValue), 1);
                COMMIT
                """)
        } catch {
            rollBack()
            guard error.sqlState == .lockNotAvailable else { throw error }
            throw ProjectionsError(
                .busy, "a rebuild or a recount is running", hint: "Wait for it: `millrace projections list` shows it.")
        }
    }

    /// Lets go of what `hold` took.
    package func release() {
        guard connection.isUsable else { return }
        do throws(PostgresError) {
            try connection.execute(
                """
                SELECT pg_advisory_unlock(key, 1), pg_advisory_unlock_shared(key, 1)
                FROM (VALUES (\(AdvisoryLock.projections.rawValue))) AS lock (key)
                """)
        } catch { connection.close() }
    }
}
