/// What Citus's catalog says of this database. Blocks; in or out of a transaction.
package struct CitusCatalog {
    /// Whether the extension is there, as an expression that any server takes.
    package static let isThere = "pg_catalog.to_regclass('pg_catalog.pg_dist_partition') IS NOT NULL"

    /// A table that the catalog knows.
    package struct Table: Sendable, Equatable {
        /// As SQL names it, with its schema.
        package var relation: String
        /// The column whose hash tells the shard; nil: all rows are at every node, or at one.
        package var column: String?
        package var shards: Int
    }

    private let connection: PostgresConnection

    /// nil where the extension is not there.
    package init?(_ connection: PostgresConnection) throws(PostgresError) {
        guard try connection.lookForCitus() else { return nil }
        self.connection = connection
    }

    /// Of the extension, `13.2-2`.
    package func version() throws(PostgresError) -> String {
        try connection.execute("SELECT extversion FROM pg_catalog.pg_extension WHERE extname = 'citus'").string(0, 0)
            ?? "unknown"
    }

    /// Nodes that hold shards and are active.
    package func workers() throws(PostgresError) -> Int {
        try connection.execute(
            """
            SELECT count(*)
            FROM pg_catalog.pg_dist_node
            WHERE isactive AND noderole = 'primary' AND shouldhaveshards
            """
        ).count(0, 0)
    }

    /// Tables in `public` and in the schemas of projections, months left out.
    package func tables() throws(PostgresError) -> [Table] {
        let rows = try connection.execute(
            """
            SELECT
                format('%I.%I', space.nspname, class.relname),
                CASE
                    WHEN own.partkey IS NOT NULL THEN pg_catalog.column_to_column_name(own.logicalrelid, own.partkey)
                END,
                (SELECT count(*) FROM pg_catalog.pg_dist_shard AS shard WHERE shard.logicalrelid = own.logicalrelid)
            FROM pg_catalog.pg_dist_partition AS own
            JOIN pg_catalog.pg_class AS class ON class.oid = own.logicalrelid
            JOIN pg_catalog.pg_namespace AS space ON space.oid = class.relnamespace
            WHERE NOT class.relispartition
                AND (
                    space.nspname IN ('public', 'projections')
                    OR starts_with(space.nspname::text, 'projections_')
                )
            ORDER BY 1
            """)
        return (0..<rows.rowCount).map { row in
            Table(
                relation: rows.string(row, 0) ?? "", column: rows.string(row, 1), shards: rows.count(row, 2))
        }
    }

    /// Whether the catalog knows the table, `relation` with its schema.
    package func isDistributed(_ relation: String) throws(PostgresError) -> Bool {
        try connection.query(
            """
            SELECT EXISTS (
                SELECT
                FROM pg_catalog.pg_dist_partition
                WHERE logicalrelid = to_regclass($1)
            )
            """, parameters: [.text(relation)]
        ).bool(0, 0) ?? false
    }

    /// Runs a query of one row and column at every node, each in a transaction of its own.
    ///
    /// - Parameter timeout: for all of them.
    /// - Returns: what each node says; nil of one that can't be reached, or refuses.
    package func onNodes(_ query: String, timeout: Duration? = nil) throws(PostgresError) -> [String?] {
        let answers = try connection.query(
            "SELECT success, result FROM pg_catalog.run_command_on_all_nodes($1)", parameters: [.text(query)],
            timeout: timeout)
        return (0..<answers.rowCount).map { row in
            answers.bool(row, 0) == true ? answers.string(row, 1) ?? "" : nil
        }
    }
}

extension PostgresConnection {
    /// Whether Citus is there, asked again until it is; then `hasCitus`.
    package func lookForCitus() throws(PostgresError) -> Bool {
        if !hasCitus { hasCitus = try execute("SELECT \(CitusCatalog.isThere)").bool(0, 0) ?? false }
        return hasCitus
    }

    /// With Citus, has the open transaction commit in two phases, as a COPY does by itself: a single row that comes by INSERT is
    /// else committed by its worker before the coordinator commits its own part, such as the ledger's row. The connection must
    /// know whether Citus is there.
    package func requireTwoPhases() throws(PostgresError) {
        guard hasCitus else { return }
        // Of no rows.
        _ = try copyIn("COPY public.event_ids (id, created_at) FROM STDIN (FORMAT binary)") { _ in }
    }
}
