/// The tables that hold the months' rows on the workers: what PostgreSQL does to a month's own table, of which the coordinator
/// has an empty shell. Blocks as long as there is to do.
///
/// A shard is called as its month, `_`, and its number; each node does its own, in one transaction.
struct CitusShards {
    /// Shards of months, by their names, as a condition on `pg_class AS leaf`.
    private static let areOfMonths = """
        leaf.relkind = 'r' AND leaf.relnamespace = 'public'::regnamespace
            AND leaf.relname ~ '^(\(PartitionedTable.allCases.map(\.rawValue).joined(separator: "|")))_y[0-9]{4}m[0-9]{2}_[0-9]+$'
        """

    private let catalog: CitusCatalog

    /// nil where the months have none.
    init?(_ connection: PostgresConnection) throws(PostgresError) {
        guard let catalog = try CitusCatalog(connection),
            try catalog.isDistributed(DistributedTable.analyticsEvents.relation)
        else { return nil }
        self.catalog = catalog
    }

    /// Rows by the planner's statistics, and bytes on disk.
    struct Size: Equatable {
        var rows = 0
        var bytes = 0
    }

    /// Of each month, by the name of its table.
    func sizes(timeout: Duration) throws(PostgresError) -> [String: Size] {
        let answers = try catalog.onNodes(
            """
            SELECT string_agg(concat_ws(' ', name, rows, bytes), ',')
            FROM (
                SELECT
                    regexp_replace(leaf.relname, '_[0-9]+$', '') AS name,
                    sum(GREATEST(leaf.reltuples, pg_stat_get_live_tuples(leaf.oid), 0))::bigint AS rows,
                    sum(pg_total_relation_size(leaf.oid)) AS bytes
                FROM pg_catalog.pg_class AS leaf
                WHERE \(Self.areOfMonths)
                GROUP BY 1
            ) AS month
            """, timeout: timeout)
        var sizes: [String: Size] = [:]
        for answer in answers {
            for entry in (answer ?? "").split(separator: ",") {
                let words = entry.split(separator: " ")
                guard words.count == 3, let rows = Int(words[1]), let bytes = Int(words[2]) else { continue }
                sizes[String(words[0]), default: Size()].rows += rows
                sizes[String(words[0]), default: Size()].bytes += bytes
            }
        }
        return sizes
    }

    /// As `Partitions.cleanPendingLists`.
    func cleanPendingLists(timeout: Duration) throws(PostgresError) -> Int {
        try ofIndexes("gin", "gin_clean_pending_list", timeout: timeout)
    }

    /// As `Partitions.summarizeBatches`.
    func summarizeBatches(timeout: Duration) throws(PostgresError) {
        _ = try ofIndexes("brin", "brin_summarize_new_values", timeout: timeout)
    }

    /// Calls `function` for each index of the access method. Returns the sum of what it answers.
    private func ofIndexes(_ method: String, _ function: String, timeout: Duration) throws(PostgresError) -> Int {
        try catalog.onNodes(
            """
            SELECT COALESCE(sum(\(function)(state.indexrelid)), 0)::text
            FROM pg_catalog.pg_index AS state
            JOIN pg_catalog.pg_class AS leaf ON leaf.oid = state.indrelid
            JOIN pg_catalog.pg_class AS index ON index.oid = state.indexrelid
            JOIN pg_catalog.pg_am AS method ON method.oid = index.relam
            WHERE method.amname = '\(method)' AND state.indisvalid AND \(Self.areOfMonths)
            """, timeout: timeout
        ).reduce(0) { $0 + ($1.flatMap { Int($0) } ?? 0) }
    }
}
