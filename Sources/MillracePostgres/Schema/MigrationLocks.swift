/// Takes the locks of a migration in short tries, between which those who queued behind one are served. In a transaction;
/// blocks.
struct MigrationLocks {
    /// How long writers are held up by one try to lock all tables of a migration, or by one statement's wait for a lock.
    private static let lockTry = Duration.milliseconds(500)
    /// How long the lock is waited for that holds up nobody who writes.
    private static let quietTry = Duration.seconds(3)
    /// Tries before the transaction is given up, which holds up those who make months.
    private static let lockTries = 10
    /// Between two tries.
    static let pauses = Backoff(min: .milliseconds(200), max: .seconds(1))

    let connection: PostgresConnection
    /// For one statement.
    let timeout: Duration

    /// Locks tables and views against everything, to the end of the transaction; those that are not there are passed over.
    /// What is locked after that is waited for no longer than in a try.
    func take(_ tables: [String], onWait: () -> Void) throws(PostgresError) {
        let found = try connection.query(
            """
            SELECT name
            FROM unnest($1::text[]) WITH ORDINALITY AS wanted (name, place)
            WHERE to_regclass(name) IS NOT NULL
            ORDER BY place
            """, parameters: [.array(tables)])
        let timeoutOfTry = "SET LOCAL lock_timeout = \(Self.lockTry.milliseconds)"
        guard found.rowCount > 0 else {
            try connection.execute(timeoutOfTry)
            return
        }
        let list = found.texts.map { $0[0] }.joined(separator: ", ")
        // This stops nobody who reads or writes, and sends an autovacuum away (after deadlock_timeout, a second), which short
        // tries would wait for in vain.
        try connection.execute("SET LOCAL lock_timeout = \(Self.quietTry.milliseconds)")
        try connection.execute("LOCK TABLE \(list) IN SHARE UPDATE EXCLUSIVE MODE", timeout: timeout)
        try connection.execute(timeoutOfTry)
        var pauses = Self.pauses
        while true {
            do throws(PostgresError) {
                try connection.execute("SAVEPOINT millrace_lock")
                // Of all the tables together.
                try connection.execute("SET LOCAL statement_timeout = \(Self.lockTry.milliseconds)")
                try connection.execute("LOCK TABLE \(list) IN ACCESS EXCLUSIVE MODE")
                try connection.execute("SET LOCAL statement_timeout TO DEFAULT")
                return
            } catch {
                guard error.isContention(withTimeout: true), pauses.attempts < Self.lockTries else { throw error }
                try connection.execute("ROLLBACK TO SAVEPOINT millrace_lock")
                onWait()
                try connection.interrupt.pause(for: pauses.next())
            }
        }
    }
}

extension PostgresError {
    /// Whether someone else held what was wanted, for longer than was to be waited. `withTimeout`: a cancelled statement is
    /// one, since it had a timeout for that.
    func isContention(withTimeout: Bool) -> Bool {
        sqlState == .lockNotAvailable || sqlState == .deadlockDetected || withTimeout && sqlState == .queryCanceled
    }
}
