import MillracePostgres

/// A transaction of the erasure: no switch of versions meanwhile, and not refused as a change by hand. Tried again when it
/// and a writer waited for each other.
enum ErasureTransaction {
    static func run<Answer>(
        on connection: PostgresConnection, _ body: () throws(PostgresError) -> Answer
    ) throws -> Answer {
        var backoff = Backoff(min: .milliseconds(50), max: .seconds(1))
        while true {
            do throws(PostgresError) {
                return try connection.transaction { () throws(PostgresError) in
                    try connection.execute(
                        """
                        SET LOCAL lock_timeout = '10s';
                        \(ProjectionsLock.sharedStatement);
                        SET LOCAL millrace.slot = \(Rebuild.slot);
                        SET LOCAL millrace.conversations = 'by hand';
                        SET LOCAL jit = off
                        """)
                    return try body()
                }
            } catch {
                guard
                    error.sqlState == .deadlockDetected || error.sqlState == .lockNotAvailable
                        || error.sqlState == .serializationFailure, backoff.attempts < 10
                else { throw error }
                try connection.interrupt.pause(for: backoff.next())
            }
        }
    }
}
