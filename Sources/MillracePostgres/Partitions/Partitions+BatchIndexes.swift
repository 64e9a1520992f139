extension Partitions {
    /// Lets pages of rows that came since the last vacuum be found by their batch: the BRIN indexes on batch_id know
    /// nothing of them before, so that each search reads them all. Outside of a transaction.
    ///
    /// - Parameters:
    ///   - lockWait: for a month that a vacuum is at, which summarizes too; nil waits, and PostgreSQL then ends an
    ///     autovacuum.
    ///   - timeout: for one month.
    package func summarizeBatches(
        lockWait: Duration? = nil, timeout: Duration = .seconds(600)
    ) throws(PostgresError) {
        let parents = PartitionedTable.allCases.map { "to_regclass('public.\($0.rawValue)_batch_id_idx')" }
        let indexes = try connection.execute(
            """
            SELECT leaf.inhrelid
            FROM pg_catalog.pg_inherits AS leaf
            JOIN pg_catalog.pg_class AS index ON index.oid = leaf.inhrelid
            JOIN pg_catalog.pg_am AS method ON method.oid = index.relam AND method.amname = 'brin'
            WHERE leaf.inhparent IN (\(parents.joined(separator: ", ")))
            """)
        for index in (0..<indexes.rowCount).compactMap({ indexes.int($0, 0) }) {
            do throws(PostgresError) {
                try connection.execute(
                    """
                    BEGIN;
                    SET LOCAL lock_timeout = \(lockWait?.milliseconds ?? 0);
                    SELECT brin_summarize_new_values(\(index));
                    COMMIT
                    """, timeout: timeout)
            } catch {
                if connection.isUsable { try connection.execute("ROLLBACK") }
                guard error.sqlState == .lockNotAvailable else { throw error }
            }
        }
    }
}
