package import MillraceEvent
package import MillracePostgres

/// Puts rows of parsed lines into their tables, as their batches would have. In a transaction; blocks.
package struct RowInsertion {
    /// A row, and what is not of its line.
    package struct Item {
        var row: ParsedRow
        var receivedAt: Timestamp
        var tenant: Int32
        var batchID: Int

        /// `batchID`: as the row is to have it.
        package init(row: ParsedRow, receivedAt: Timestamp, tenant: Int32, batchID: Int) {
            self.row = row
            self.receivedAt = receivedAt
            self.tenant = tenant
            self.batchID = batchID
        }
    }

    private let connection: PostgresConnection

    package init(connection: PostgresConnection) {
        self.connection = connection
    }

    /// Returns the places among `items` of those that went in. Of items that are the same event the first one does.
    package func insert(_ items: [Item]) throws(PostgresError) -> Set<Int> {
        if try connection.lookForCitus() { try connection.requireTwoPhases() }
        var seen: Set<String> = []
        let distinct = items.indices.filter { seen.insert("\(items[$0].tenant) \(items[$0].row.identity)").inserted }
        var written: Set<Int> = []
        for table in PartitionedTable.allCases {
            for needsEventID in [false, true] {
                let group = distinct.filter { place in
                    items[place].row.table == table && items[place].row.needsEventID == needsEventID
                }
                guard let first = group.first else { continue }
                let statement = Self.statement(like: items[first].row)
                let answer = try connection.query(statement, parameters: Self.parameters(group.map { items[$0] }))
                let keys = Set(
                    (0..<answer.rowCount).map {
                        "\(answer.count($0, 2)) \(answer.string($0, 0) ?? "") \(answer.count($0, 1))"
                    })
                written.formUnion(group.filter { keys.contains("\(items[$0].tenant) \(items[$0].row.key)") })
            }
        }
        return written
    }

    private static func parameters(_ items: [Item]) -> [PostgresParameter?] {
        let fixed: [PostgresParameter] = [
            .array(items.map { "\($0.row.id)" }), .array(items.map(\.row.createdAt.microseconds)),
            .array(items.map(\.receivedAt.microseconds)), .array(items.map(\.tenant)), .array(items.map(\.batchID)),
        ]
        let columns = items.first?.row.columns.indices ?? 0..<0
        return fixed + columns.map { column in .array(items.map { $0.row.columns[column].value }) }
    }

    /// Takes an array a column.
    private static func statement(like row: ParsedRow) -> String {
        let names = ["id", "created_at", "received_at", "tenant_id", "batch_id"] + row.columns.map(\.name)
        let types = ["uuid", "bigint", "bigint", "integer", "bigint"] + row.columns.map(\.type)
        let arrays = types.enumerated().map { "$\($0.offset + 1)::\($0.element)[]" }.joined(separator: ", ")
        let list = names.joined(separator: ", ")
        let values = names.map { name in
            name == "created_at" || name == "received_at" ? time("line.\(name)") + " AS \(name)" : "line.\(name)"
        }
        let known = """
            , known AS (
                INSERT INTO public.event_ids (id, tenant_id, created_at)
                SELECT id, tenant_id, created_at
                FROM line
                ON CONFLICT (id, tenant_id) DO NOTHING
                RETURNING id, tenant_id
            )
            """
        return """
            WITH line AS MATERIALIZED (
                SELECT \(values.joined(separator: ", "))
                FROM unnest(\(arrays)) AS line (\(list))
            )\(row.needsEventID ? known : ""), written AS (
                INSERT INTO public.\(row.table.rawValue) (\(list))
                SELECT \(list)
                FROM line\(row.needsEventID ? " JOIN known USING (id, tenant_id)" : "")
                ON CONFLICT (created_at, id, tenant_id) DO NOTHING
                RETURNING id, created_at, tenant_id
            )
            SELECT id::text, (EXTRACT(EPOCH FROM created_at) * 1000000)::bigint, tenant_id
            FROM written
            """
    }

    /// Microseconds since 1970 as a timestamptz; exact, since a double holds every such integer.
    static func time(_ parameter: String) -> String {
        "timestamptz 'epoch' + \(parameter)::bigint * interval '1 microsecond'"
    }
}
