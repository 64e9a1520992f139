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

    /// Adds each row of the page to `fold`, in the order in which a table has them, events first. In a transaction that
    /// holds `ConversationStatuses.sharedStatement`. The indexes on batch_id find them, whose summaries
    /// `Partitions.summarizeBatches` keeps.
    ///
    /// - Returns: the number of rows.
    func read(_ page: BatchPages.Page, into fold: BatchFold, timeout: Duration) throws(PostgresError) -> Int {
        // Young statistics may say that a scan of all is cheaper than it is.
        try connection.execute("SET LOCAL enable_seqscan = off; SET LOCAL jit = off")
        var count = 0
        for table in PartitionedTable.allCases {
            let isWanted = table == .conversations ? page.conversations > 0 : page.rows > page.conversations
            guard isWanted else { continue }
            count += try read(
                table, from: "public.\(table.rawValue)", where: page.tableRows, into: fold, timeout: timeout
            ) { _ in }
        }
        try connection.execute("SET LOCAL enable_seqscan TO DEFAULT")
        return count
    }

    /// Adds each row of `relation` that is as the condition says: of the table or of one of its months. Saves that are not
    /// active come last.
    ///
    /// - Returns: the number of rows.
    func read(
        _ table: PartitionedTable, from relation: String, where condition: String, into fold: BatchFold,
        timeout: Duration, _ take: (UnsafeRawBufferPointer) -> Void
    ) throws(PostgresError) -> Int {
        guard table == .conversations else {
            return try copy(table, from: relation, where: condition, timeout: timeout) { row in
                fold.add(table, rows: row)
                take(row)
            }
        }
        let active = try copy(
            table, from: relation, where: condition + " AND stored.status = 'active'", timeout: timeout
        ) { row in
            fold.add(table, rows: row)
            take(row)
        }
        let inactive = try copy(
            table, from: relation, where: condition + " AND stored.status <> 'active'", timeout: timeout
        ) { row in
            fold.add(inactiveSaves: row)
            take(row)
        }
        return active + inactive
    }

    private func copy(
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

/// Which documents a pack looks into. To write one out costs the server more than the rest of its row.
enum DocumentColumns {
    /// `PartitionedTable.encodedColumns` with an empty document in the place of each that no fold of `pack` reads, and NULL
    /// in that of each that would be too large.
    static func encoded(of table: PartitionedTable, for pack: PackDefinition) -> String {
        let name = table.columns[RowLayout.document(of: table)]
        let readers = pack.folds.filter { $0.rowsTable == table && $0.fields.contains { $0.column == name } }
        let read = PrintedSize.guarded(name)
        let document =
            switch types(of: readers, table) {
            case nil: read
            case "": "'{}'::jsonb"
            case let types?: "CASE WHEN \(types) THEN \(read) ELSE '{}'::jsonb END"
            }
        return table.encodedColumns.replacing(", \(name),", with: ", \(document),")
    }

    /// The types of events that `folds` read, as a condition; nil when they are all, empty when they are none.
    private static func types(of folds: [FoldDefinition], _ table: PartitionedTable) -> String? {
        guard table == .analyticsEvents else { return folds.isEmpty ? "" : nil }
        var patterns: Set<EventTypePattern> = []
        for fold in folds {
            if case .events(let taken) = fold.source { patterns.formUnion(taken) }
            if case .entity(let entity) = fold.kind { patterns.formUnion(entity.deletes + entity.patches) }
        }
        guard !patterns.contains(.any) else { return nil }
        let conditions = patterns.map { pattern in
            switch pattern {
            case .any: "true"
            case .prefix(let prefix): "starts_with(event_type, \(quoted(prefix)))"
            case .exactly(let type): "event_type = \(quoted(type))"
            }
        }
        return conditions.sorted().joined(separator: " OR ")
    }

    private static func quoted(_ text: String) -> String { "'\(text.replacing("'", with: "''"))'" }
}

extension FoldDefinition {
    /// Every field that it reads.
    fileprivate var fields: [FieldPath] {
        switch kind {
        case .counter(let counter), .top(let counter): (counter.dimensions + counter.sums).map(\.field)
        case .unique(let unique): unique.dimensions.map(\.field) + [unique.of]
        case .entity(let entity): (entity.key + entity.columns).map(\.field)
        case .append(let columns): columns.map(\.field)
        }
    }
}
