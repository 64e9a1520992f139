import MillracePostgres

/// Reads rows back, as the writers encoded them.
struct BatchRows {
    private let connection: PostgresConnection
    /// Of each table the columns that a writer encodes, without documents that no fold looks into.
    private let columns: [PartitionedTable: String]

    init(connection: PostgresConnection, pack: PackDefinition) {
        self.connection = connection
        columns = Dictionary(
            uniqueKeysWithValues: PartitionedTable.allCases.map { ($0, DocumentColumns.encoded(of: $0, for: pack)) })
    }

    /// Passes each row of the page on, in the order in which a table has them, events first. In a transaction. The
    /// indexes on batch_id find them, whose summaries `Partitions.summarizeBatches` keeps.
    ///
    /// - Returns: the number of rows.
    func read(
        _ page: BatchPages.Page, timeout: Duration, _ take: (PartitionedTable, UnsafeRawBufferPointer) -> Void
    ) throws(PostgresError) -> Int {
        // Young statistics may say that a scan of all is cheaper than it is.
        try connection.execute("SET LOCAL enable_seqscan = off; SET LOCAL jit = off")
        var count = 0
        for table in PartitionedTable.allCases {
            let isWanted = table == .conversations ? page.conversations > 0 : page.rows > page.conversations
            guard isWanted else { continue }
            count += try read(
                table, from: "public.\(table.rawValue)", where: page.tableRows, timeout: timeout
            ) { take(table, $0) }
        }
        try connection.execute("SET LOCAL enable_seqscan TO DEFAULT")
        return count
    }

    /// Passes each row of `relation` that is as the condition says on: of the table or of one of its months.
    ///
    /// - Returns: the number of rows.
    func read(
        _ table: PartitionedTable, from relation: String, where condition: String, timeout: Duration,
        _ take: (UnsafeRawBufferPointer) -> Void
    ) throws(PostgresError) -> Int {
        try connection.copyOut(
            """
            COPY (
                SELECT \(columns[table] ?? table.encodedColumns)
                FROM \(relation) AS stored
                WHERE \(condition)
            ) TO STDOUT (FORMAT binary)
            """, timeout: timeout
        ) { row in
            take(row)
            return true
        }
    }
}
