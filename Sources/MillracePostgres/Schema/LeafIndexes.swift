/// Builds the indexes of months that a migration wants, while rows are written and read. Blocks; for `build` the connection
/// must be in no transaction.
///
/// Until the migration has taken it, the index of a month is called `millrace_index_`, the month's OID, `_`, and its suffix.
/// What an interrupted build leaves is invalid, and built anew.
struct LeafIndexes {
    static let prefix = "millrace_index_"

    let connection: PostgresConnection
    /// For one index: a build reads its table twice, and waits for older transactions.
    var timeout: Duration = .seconds(4 * 3600)

    private struct Leaf {
        var table: String
        var index: String
        var isInvalid: Bool
    }

    /// Those that are lacking.
    func build(_ wanted: OnlineIndexes) throws(PostgresError) {
        var isPrepared = false
        for index in wanted.indexes {
            for leaf in try lacking(index) {
                if !isPrepared, let prelude = wanted.prelude { try connection.execute(prelude) }
                isPrepared = true
                if leaf.isInvalid {
                    try connection.execute("DROP INDEX CONCURRENTLY IF EXISTS public.\(leaf.index)", timeout: timeout)
                }
                try connection.execute(
                    "CREATE INDEX CONCURRENTLY \(leaf.index) ON \(leaf.table) \(index.definition)", timeout: timeout)
            }
        }
    }

    /// Calls them as a month's indexes are called. In the migration's transaction, which has locked the table.
    func giveNames(_ wanted: OnlineIndexes) throws(PostgresError) {
        for index in wanted.indexes {
            let found = try connection.query(
                """
                SELECT format(
                    'ALTER INDEX %I.%I RENAME TO %I', space.nspname, relation.relname,
                    left(leaf.relname, 62 - length($1)) || '_' || $1)
                FROM pg_catalog.pg_index AS state
                JOIN pg_catalog.pg_class AS relation ON relation.oid = state.indexrelid
                JOIN pg_catalog.pg_class AS leaf ON leaf.oid = state.indrelid
                JOIN pg_catalog.pg_namespace AS space ON space.oid = relation.relnamespace
                WHERE relation.relname = '\(Self.prefix)' || leaf.oid || '_' || $1
                    -- By name alone: to_regclass wants rights on every schema that the plan has it look into.
                    AND NOT EXISTS (
                        SELECT FROM pg_catalog.pg_class AS taken
                        WHERE taken.relnamespace = relation.relnamespace
                            AND taken.relname = left(leaf.relname, 62 - length($1)) || '_' || $1
                    )
                """, parameters: [.text(index.suffix)])
            for command in found.texts { try connection.execute(command[0]) }
        }
    }

    /// Months without their index, or with one that an interrupted build left.
    private func lacking(_ index: OnlineIndexes.Index) throws(PostgresError) -> [Leaf] {
        let found = try connection.query(
            """
            SELECT leaf.oid::regclass::text, '\(Self.prefix)' || leaf.oid || '_' || $2, own.oid IS NOT NULL
            FROM pg_catalog.pg_partition_tree(to_regclass($1)) AS tree
            JOIN pg_catalog.pg_class AS leaf ON leaf.oid = tree.relid AND leaf.relkind = 'r'
            LEFT JOIN pg_catalog.pg_class AS own
                ON own.relname = '\(Self.prefix)' || leaf.oid || '_' || $2 AND own.relnamespace = leaf.relnamespace
            LEFT JOIN pg_catalog.pg_index AS state ON state.indexrelid = own.oid
            WHERE state.indisvalid IS NOT TRUE
            ORDER BY leaf.relname
            """, parameters: [.text(index.table), .text(index.suffix)])
        return (0..<found.rowCount).map { row in
            Leaf(
                table: found.string(row, 0) ?? "", index: found.string(row, 1) ?? "",
                isInvalid: found.bool(row, 2) ?? false)
        }
    }
}
