import MillracePostgres

/// Reads the rows of a page of batches back, as the writers encoded them.
struct BatchRows {
    private let connection: PostgresConnection

    init(connection: PostgresConnection) {
        self.connection = connection
    }

    /// Lets the pages of rows that came since the last vacuum be found by their batch too. Outside of a transaction.
    func summarize(timeout: Duration) throws(PostgresError) {
        let indexes = try connection.execute(
            """
            SELECT leaf.inhrelid
            FROM pg_catalog.pg_inherits AS leaf
            JOIN pg_catalog.pg_class AS index ON index.oid = leaf.inhrelid
            JOIN pg_catalog.pg_am AS method ON method.oid = index.relam AND method.amname = 'brin'
            WHERE leaf.inhparent IN (
                to_regclass('public.analytics_events_batch_id_idx'), to_regclass('public.conversations_batch_id_idx')
            )
            """)
        for index in (0..<indexes.rowCount).compactMap({ indexes.int($0, 0) }) {
            try connection.execute("SELECT brin_summarize_new_values(\(index))", timeout: timeout)
        }
    }

    /// Passes each row on, in the order in which a table has them, events first. In a transaction.
    ///
    /// - Returns: the number of rows.
    func read(
        _ page: BatchPages.Page, timeout: Duration, _ take: (PartitionedTable, UnsafeRawBufferPointer) -> Void
    ) throws(PostgresError) -> Int {
        guard let first = page.batches.min(), let last = page.batches.max() else { return 0 }
        // Young statistics may say that a scan of all is cheaper than it is.
        try connection.execute("SET LOCAL enable_seqscan = off")
        var count = 0
        for table in PartitionedTable.allCases {
            let isWanted = table == .conversations ? page.conversations > 0 : page.rows > page.conversations
            guard isWanted else { continue }
            count += try connection.copyOut(
                """
                COPY (
                    SELECT \(table.encodedColumns)
                    FROM public.\(table.rawValue)
                    WHERE batch_id BETWEEN \(first) AND \(last)
                        AND batch_id = ANY ('{\(page.batches.map(String.init).joined(separator: ","))}')
                ) TO STDOUT (FORMAT binary)
                """, timeout: timeout
            ) { row in
                take(table, row)
                return true
            }
        }
        try connection.execute("SET LOCAL enable_seqscan TO DEFAULT")
        return count
    }
}
