package import MillraceEvent
import MillracePostgres

/// Asks the ledger, before a daemon gives out sequences, how far those of its spool went.
package actor LedgerHead {
    private let executor = ThreadExecutor(name: "ledger-head")

    package nonisolated var unownedExecutor: UnownedSerialExecutor { executor.asUnownedSerialExecutor() }

    package init() {}

    /// The last sequence of `spool` in the ledger; nil when it has none, or when PostgreSQL does not answer within
    /// `timeout`: then the writers' check of each batch is what is left.
    package func lastSequence(of spool: UniqueID, databaseURL: String, timeout: Duration) -> UInt64? {
        defer { executor.stop() }
        do {
            let connection = try PostgresConnection(
                connectionString: databaseURL, applicationName: "millrace start", connectTimeout: timeout,
                interrupt: PostgresInterrupt()
            )
            let answer = try connection.execute(
                "SELECT max(last_seq) FROM public.ingest_batches WHERE spool_id = '\(spool)'", timeout: timeout)
            return answer.int(0, 0).map { UInt64($0) }
        } catch {
            // The ledger's session reports what is wrong with the database, again and again until it is mended.
            return nil
        }
    }
}
