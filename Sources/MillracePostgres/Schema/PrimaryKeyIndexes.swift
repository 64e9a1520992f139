/// Builds the indexes of new primary keys beside the old ones, while rows are written and read, so that a migration has only
/// to swap them. Blocks; the connection must be in no transaction.
///
/// The index of a table is called `millrace_key_` and the table's OID, until it is the key. What an interrupted build leaves
/// is invalid, and built anew.
struct PrimaryKeyIndexes {
    private static let prefix = "millrace_key_"
    /// Between two looks whether another process has built them.
    private static let poll = Duration.milliseconds(200)

    let connection: PostgresConnection
    /// For one index: a build reads its table twice, and waits for older transactions.
    var timeout: Duration = .seconds(4 * 3600)

    /// A table without a key of these columns, and without the index for it.
    private struct Lacking {
        var schema: String
        var relation: String
        var index: String
    }

    /// Builds what is lacking; to be called `alone`. Throws `uniqueViolation` when rows are equal in the key's columns.
    func build(_ keys: [PrimaryKey]) throws(PostgresError) {
        for key in keys {
            for table in try lacking(key) { try build(key, table) }
        }
    }

    /// Whether every table has its index, or the key already.
    func areBuilt(_ keys: [PrimaryKey]) throws(PostgresError) -> Bool {
        for key in keys where try !lacking(key).isEmpty { return false }
        return true
    }

    /// Removes those that no migration waits for: they would refuse rows that the keys take. Those of `LeafIndexes` too,
    /// which cost each row something.
    func removeLeft() throws(PostgresError) {
        let left = try connection.execute(
            """
            SELECT format('%I.%I', space.nspname, relation.relname)
            FROM pg_catalog.pg_class AS relation
            JOIN pg_catalog.pg_index AS state ON state.indexrelid = relation.oid
            JOIN pg_catalog.pg_namespace AS space ON space.oid = relation.relnamespace
            WHERE relation.relname = '\(Self.prefix)' || state.indrelid
                OR starts_with(relation.relname, '\(LeafIndexes.prefix)' || state.indrelid || '_')
            """)
        guard left.rowCount > 0 else { return }
        try alone { () throws(PostgresError) in
            for row in 0..<left.rowCount {
                guard let index = left.string(row, 0) else { continue }
                try connection.execute("DROP INDEX CONCURRENTLY IF EXISTS \(index)", timeout: timeout)
            }
        }
    }

    /// Replaces the key of one table that is no partition, where it has another one.
    func replace(_ key: PrimaryKey) throws(PostgresError) {
        let found = try connection.query(
            "SELECT conname FROM pg_catalog.pg_constraint WHERE conrelid = to_regclass($1) AND contype = 'p'",
            parameters: [.text(key.table)])
        guard !key.columns.isEmpty, let name = found.string(0, 0)?.replacing("\"", with: "\"\"") else { return }
        try alone { () throws(PostgresError) in try build([key]) }
        let index = try connection.query(
            "SELECT relname FROM pg_catalog.pg_class WHERE relname = '\(Self.prefix)' || to_regclass($1)::oid",
            parameters: [.text(key.table)])
        guard let index = index.string(0, 0) else { return }
        try connection.execute(
            """
            ALTER TABLE \(key.table)
                DROP CONSTRAINT "\(name)",
                ADD CONSTRAINT "\(name)" PRIMARY KEY USING INDEX \(index)
            """)
    }

    private func build(_ key: PrimaryKey, _ table: Lacking) throws(PostgresError) {
        let index = "\(table.schema).\(table.index)"
        try connection.execute("DROP INDEX CONCURRENTLY IF EXISTS \(index)", timeout: timeout)
        do throws(PostgresError) {
            try connection.execute(
                """
                CREATE UNIQUE INDEX CONCURRENTLY \(table.index)
                    ON \(table.relation) (\(key.columns.joined(separator: ", ")))
                """, timeout: timeout)
        } catch {
            // It would refuse rows all the same.
            if connection.isUsable {
                try connection.execute("DROP INDEX CONCURRENTLY IF EXISTS \(index)", timeout: timeout)
            }
            throw error
        }
    }

    private func lacking(_ key: PrimaryKey) throws(PostgresError) -> [Lacking] {
        let found = try connection.query(
            """
            WITH leaf AS (
                SELECT to_regclass($1)::oid AS relid
                UNION
                SELECT relid::oid
                FROM pg_catalog.pg_partition_tree(to_regclass($1))
            )
            SELECT
                format('%I', space.nspname),
                format('%I.%I', space.nspname, relation.relname),
                '\(Self.prefix)' || relation.oid
            FROM leaf
            JOIN pg_catalog.pg_class AS relation ON relation.oid = leaf.relid AND relation.relkind = 'r'
            JOIN pg_catalog.pg_namespace AS space ON space.oid = relation.relnamespace
            WHERE NOT EXISTS (
                SELECT
                FROM pg_catalog.pg_index AS state
                JOIN pg_catalog.pg_class AS index ON index.oid = state.indexrelid
                WHERE state.indrelid = relation.oid
                    AND state.indisunique
                    AND state.indisvalid
                    AND (state.indisprimary OR index.relname = '\(Self.prefix)' || relation.oid)
                    AND $2::text[] = ARRAY(
                        SELECT field.attname::text
                        FROM unnest(state.indkey::smallint[]) WITH ORDINALITY AS part (number, place)
                        JOIN pg_catalog.pg_attribute AS field
                            ON field.attrelid = relation.oid AND field.attnum = part.number
                        ORDER BY part.place
                    )
            )
            ORDER BY relation.relname
            """, parameters: [.text(key.table), .array(key.columns)])
        return (0..<found.rowCount).map { row in
            Lacking(
                schema: found.string(row, 0) ?? "", relation: found.string(row, 1) ?? "",
                index: found.string(row, 2) ?? "")
        }
    }

    /// One process at a time builds indexes of migrations. Whoever waits asks again and again: a statement that waited for
    /// the lock would hold up the build, which waits for all older ones.
    func alone(_ body: () throws(PostgresError) -> Void) throws(PostgresError) {
        let lock = "\(AdvisoryLock.migration.rawValue), 1"
        while try connection.execute("SELECT pg_try_advisory_lock(\(lock))").bool(0, 0) != true {
            try connection.interrupt.pause(for: Self.poll)
        }
        do throws(PostgresError) {
            try body()
        } catch {
            if connection.isUsable { try connection.execute("SELECT pg_advisory_unlock(\(lock))") }
            throw error
        }
        try connection.execute("SELECT pg_advisory_unlock(\(lock))")
    }
}
