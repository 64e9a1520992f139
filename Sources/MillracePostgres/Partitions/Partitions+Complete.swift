extension Partitions {
    /// Builds what indexes a table by itself lacks to be a month of `table`, before it is attached: ATTACH would build them
    /// while it holds the parent, so that no month could be made meanwhile. Outside of a transaction; to do it again builds
    /// nothing.
    package func completeIndexes(
        of month: PartitionMonth, in table: PartitionedTable, timeout: Duration = .seconds(4 * 3600)
    ) throws(PostgresError) {
        let leaf = "public.\(table.partitionName(month))"
        let lacking = try connection.query(
            """
            WITH indexes AS (
                SELECT
                    own.indrelid, own.indisunique, own.indisvalid,
                    regexp_replace(
                        substring(pg_catalog.pg_get_indexdef(own.indexrelid) FROM ' USING .*'), ' WITH \\([^)]*\\)', '')
                        AS definition
                FROM pg_catalog.pg_index AS own
                WHERE own.indrelid IN (to_regclass($1), to_regclass($2))
                    AND NOT EXISTS (SELECT FROM pg_catalog.pg_constraint WHERE conindid = own.indexrelid)
            )
            SELECT indisunique, definition
            FROM indexes AS wanted
            WHERE indrelid = to_regclass($1)
                AND NOT EXISTS (
                    SELECT
                    FROM indexes AS there
                    WHERE there.indrelid = to_regclass($2)
                        AND there.indisvalid
                        AND there.indisunique >= wanted.indisunique
                        AND there.definition = wanted.definition
                )
            ORDER BY definition
            """, parameters: [.text("public.\(table.rawValue)"), .text(leaf)])
        for index in lacking.texts {
            try connection.execute(
                "CREATE \(index[0] == "t" ? "UNIQUE " : "")INDEX ON \(leaf)\(index[1])", timeout: timeout)
        }
        if table == .analyticsEvents, options.payloadIndex != .none, try !hasPayloadIndex(leaf) {
            try connection.execute(
                "CREATE INDEX \(payloadIndex(table.partitionName(month), on: leaf))", timeout: timeout)
        }
        try widenPendingLists(of: leaf)
    }

    private func hasPayloadIndex(_ leaf: String) throws(PostgresError) -> Bool {
        try connection.query(
            """
            SELECT EXISTS (
                SELECT
                FROM pg_catalog.pg_index AS state
                JOIN pg_catalog.pg_class AS index ON index.oid = state.indexrelid
                JOIN pg_catalog.pg_am AS method ON method.oid = index.relam
                JOIN pg_catalog.pg_attribute AS field ON field.attrelid = state.indrelid AND field.attname = 'payload'
                WHERE state.indrelid = to_regclass($1)
                    AND method.amname = 'gin'
                    AND field.attnum = ANY (state.indkey)
            )
            """, parameters: [.text(leaf)]
        ).bool(0, 0) ?? false
    }
}
