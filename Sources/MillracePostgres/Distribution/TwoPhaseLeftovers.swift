/// Transactions of Citus that workers have prepared and not ended, since the coordinator, a worker or the network failed amid a
/// COMMIT. Nobody sees their rows, and who puts in the same ones waits for them, until Citus ends them as the
/// coordinator's own commit says: once a minute (`citus.recover_2pc_interval`), or when it is asked to. Blocks.
package struct TwoPhaseLeftovers {
    /// Older ones are left over; others are COMMITs under way.
    private static let ageMin = Duration.seconds(1)

    private let connection: PostgresConnection
    private let catalog: CitusCatalog

    /// nil where there is no Citus.
    package init?(_ connection: PostgresConnection) throws(PostgresError) {
        guard let catalog = try CitusCatalog(connection) else { return nil }
        self.connection = connection
        self.catalog = catalog
    }

    /// How many there are now. Nodes that can't be reached are left out: they show theirs when they are back.
    package func count() throws(PostgresError) -> Int {
        try catalog.onNodes(
            """
            SELECT count(*)::text
            FROM pg_catalog.pg_prepared_xacts
            WHERE database = current_database() AND starts_with(gid, 'citus_')
                AND prepared < clock_timestamp() - interval '\(Self.ageMin.milliseconds) milliseconds'
            """
        ).reduce(0) { $0 + ($1.flatMap { Int($0) } ?? 0) }
    }

    /// Waits until none is left, up to `limit`. Has Citus end them where the role may. In no transaction.
    ///
    /// - Returns: how many are left.
    package func wait(upTo limit: Duration) throws(PostgresError) -> Int {
        let end = ContinuousClock.now + limit
        var backoff = Backoff(min: .milliseconds(200), max: .seconds(2))
        while true {
            let left = try count()
            guard left > 0, ContinuousClock.now < end else { return left }
            let mayRecover = try connection.execute(
                "SELECT has_function_privilege('pg_catalog.recover_prepared_transactions()', 'EXECUTE')")
            if mayRecover.bool(0, 0) == true {
                try connection.execute("SELECT pg_catalog.recover_prepared_transactions()")
            }
            try connection.interrupt.pause(for: backoff.next())
        }
    }
}
