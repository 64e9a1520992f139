/// Distributes the tables of events and conversations over the workers of a Citus cluster, by a hash of `id`. Blocks; the
/// connection must be idle, and its role must own the tables.
///
/// All else stays on the coordinator: ledger, dead letters, outbox, keys, projections. What Citus refuses of the tables goes
/// before: the trigger that refuses changes of conversations by hand, and policies with a subquery, which come back
/// without one (`protect_rows`).
package struct TableDistribution {
    /// For a lock on a table that is being written: batches wait behind it.
    private static let lockTimeout = Duration.seconds(10)
    private static let attemptsMax = 30
    private static let functions = ["public.prints_within(jsonb, bigint)", "public.without_passwords(jsonb)"]

    private let connection: PostgresConnection
    /// To copy a table's rows to the workers, in which nobody writes it.
    private let timeout: Duration

    package init(connection: PostgresConnection, timeout: Duration = .seconds(24 * 3600)) {
        self.connection = connection
        self.timeout = timeout
    }

    /// Distributes the tables that are not, each in a transaction of its own, with the months and rows that there are. What
    /// an interruption leaves is done by the next call.
    ///
    /// - Parameter progress: is told each table that is done.
    /// - Returns: those that this call distributed.
    @discardableResult
    package func run(progress: (DistributedTable) -> Void = { _ in }) throws(PostgresError) -> [DistributedTable] {
        guard let catalog = try CitusCatalog(connection) else {
            throw PostgresError(
                code: .databaseUnfit,
                message: "database.distribution is citus, and the database lacks the extension citus",
                hint:
                    "Add citus to shared_preload_libraries of every node, CREATE EXTENSION citus in this database on each, "
                    + "and citus_add_node the workers; or set database.distribution = \"none\".")
        }
        try distributeFunctions()
        var done: [DistributedTable] = []
        for table in DistributedTable.allCases {
            if try distribute(table, catalog) {
                done.append(table)
                progress(table)
            }
            try removeLocalRows(of: table.relation)
        }
        return done
    }

    /// Workers have those that were made when Citus was there already; of others that statements call on their rows, those that no
    /// table needs.
    private func distributeFunctions() throws(PostgresError) {
        for function in Self.functions {
            let lacks = try connection.query(
                """
                SELECT NOT EXISTS (
                    SELECT
                    FROM pg_catalog.pg_dist_object
                    WHERE classid = 'pg_catalog.pg_proc'::regclass AND objid = to_regprocedure($1)
                )
                """, parameters: [.text(function)])
            guard lacks.bool(0, 0) == true else { continue }
            try connection.query("SELECT pg_catalog.create_distributed_function($1)", parameters: [.text(function)])
        }
    }

    private func distribute(_ table: DistributedTable, _ catalog: CitusCatalog) throws(PostgresError) -> Bool {
        var backoff = Backoff(min: .milliseconds(100), max: .seconds(2))
        while true {
            do throws(PostgresError) {
                return try connection.transaction(timeout: timeout) { () throws(PostgresError) -> Bool in
                    // One at a time, also beside a migration.
                    try connection.execute(
                        "SELECT pg_advisory_xact_lock(\(AdvisoryLock.migration.rawValue), 0)", timeout: timeout)
                    guard try !catalog.isDistributed(table.relation) else { return false }
                    try connection.execute(
                        """
                        \(PostgresConnection.sequentialMode);
                        SET LOCAL lock_timeout = \(Self.lockTimeout.milliseconds)
                        """)
                    try removeRefused(from: table)
                    let neighbour = table == .analyticsEvents ? "default" : DistributedTable.analyticsEvents.relation
                    try connection.execute(
                        """
                        SELECT pg_catalog.create_distributed_table(
                            '\(table.relation)', '\(DistributedTable.column)', colocate_with => '\(neighbour)')
                        """, timeout: timeout)
                    try RowProtection.complete(on: connection)
                    try AuditLog.record(.migrationUp, "distribution of \(table.rawValue)", on: connection)
                    return true
                }
            } catch {
                let isContention = error.sqlState == .lockNotAvailable || error.sqlState == .deadlockDetected
                guard isContention, backoff.attempts + 1 < Self.attemptsMax else { throw error }
                try connection.interrupt.pause(for: backoff.next())
            }
        }
    }

    private func removeRefused(from table: DistributedTable) throws(PostgresError) {
        if table == .conversations {
            try connection.execute("DROP TRIGGER IF EXISTS conversations_by_hand ON \(table.relation)")
        }
        let policies = try connection.query(
            """
            SELECT format('DROP POLICY %I ON %s', policy.polname, policy.polrelid::regclass)
            FROM pg_catalog.pg_policy AS policy
            WHERE policy.polname = 'millrace_tenant'
                AND policy.polrelid IN (
                    SELECT to_regclass($1)
                    UNION
                    SELECT relid FROM pg_partition_tree(to_regclass($1))
                )
            """, parameters: [.text(table.relation)])
        for command in policies.texts { try connection.execute(command[0]) }
    }

    /// The coordinator keeps the rows that it has copied to the workers, unseen, until it is told. `relation`: of a table or of
    /// a month, with its schema. In no transaction.
    func removeLocalRows(of relation: String) throws(PostgresError) {
        guard try CitusCatalog(connection)?.isDistributed(relation) == true else { return }
        let shells = try connection.query(
            """
            SELECT COALESCE(sum(pg_relation_size(relid)), 0)::bigint
            FROM (
                SELECT to_regclass($1) AS relid
                UNION
                SELECT relid FROM pg_partition_tree(to_regclass($1))
            ) AS own
            JOIN pg_catalog.pg_class AS class ON class.oid = relid AND class.relkind = 'r'
            """, parameters: [.text(relation)])
        guard shells.count(0, 0) > 0 else { return }
        try connection.execute(
            "SELECT pg_catalog.truncate_local_data_after_distributing_table('\(relation)')", timeout: .seconds(600))
    }
}
