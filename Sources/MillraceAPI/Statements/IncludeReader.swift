internal import MillraceChannels
internal import MillraceJSON
internal import MillracePostgres
internal import NIOCore

/// Reads the rows that belong to others: one statement a fold of the tree, however many rows there are above, all of one
/// moment. What is bounded says so in `truncated`.
struct IncludeReader {
    private struct Row {
        /// Of the row above, in its order.
        var place: Int
        var key: String?
        /// An object without its end.
        var json: ByteBuffer
    }

    let tenant: Int32
    /// Rows of a list.
    let limit: Int
    /// Of all lists together.
    var rowsLeft: Int
    var bytesLeft: Int
    /// What the rows hold of the budget, until the connection has them.
    let memory: MemoryReservation
    private(set) var byteCount = 0
    /// Lists that lack rows.
    private(set) var truncated: [String] = []

    init(tenant: Int32, limit: Int, api: APIConfiguration, memory: MemoryReservation) {
        self.tenant = tenant
        self.limit = limit
        self.memory = memory
        rowsLeft = api.includeRowsMax
        bytesLeft = api.pageBytes
    }

    /// Runs `body` in a transaction that sees one moment. Blocks.
    static func atOneMoment<Answer>(
        on connection: PostgresConnection, _ body: () throws -> Answer
    ) throws -> Answer {
        try connection.execute("BEGIN ISOLATION LEVEL REPEATABLE READ READ ONLY")
        defer {
            do { try connection.execute("ROLLBACK") } catch { connection.close() }
        }
        return try body()
    }

    /// For each row above, by its key, the rows that belong to it as JSON objects separated by commas. Blocks. Throws
    /// `MemoryShortage`, too.
    mutating func lists(
        of node: IncludeTree.Node, for keys: [String?], on connection: PostgresConnection
    ) throws -> [ByteBuffer] {
        var lists = [ByteBuffer](repeating: ByteBuffer(), count: keys.count)
        guard !keys.isEmpty else { return lists }
        let rows = try rows(of: node, for: keys, on: connection)
        let below = try self.lists(of: node.children, for: rows.map(\.key), on: connection)
        for (index, row) in rows.enumerated() {
            if lists[row.place].readableBytes > 0 { lists[row.place].writeStaticString(",") }
            lists[row.place].writeImmutableBuffer(row.json)
            Self.end(&lists[row.place], with: below, of: index)
        }
        return lists
    }

    /// Of each node: the start of a member, and its lists.
    private typealias Members = [(start: [UInt8], lists: [ByteBuffer])]

    private mutating func lists(
        of nodes: [IncludeTree.Node], for keys: [String?], on connection: PostgresConnection
    ) throws -> Members {
        try nodes.map { node in
            let start = [UInt8(ascii: ",")] + JSONString.literal(node.name) + [UInt8(ascii: ":"), UInt8(ascii: "[")]
            return (start, try lists(of: node, for: keys, on: connection))
        }
    }

    /// Ends an object with the lists of the row at `index`.
    private static func end(_ object: inout ByteBuffer, with members: Members, of index: Int) {
        for (start, lists) in members {
            object.writeBytes(start)
            object.writeImmutableBuffer(lists[index])
            object.writeStaticString("]")
        }
        object.writeStaticString("}")
    }

    /// The page with the lists in its rows, which know themselves apart. Blocks.
    mutating func add(_ tree: IncludeTree, to page: Page, on connection: PostgresConnection) throws -> Page {
        let keys = page.marks.map { $0.key.last ?? nil }
        let lists = try Self.atOneMoment(on: connection) {
            try self.lists(of: tree.nodes, for: keys, on: connection)
        }
        let held = page.memory ?? memory
        let bytes = 2 * (page.rows.readableBytes + byteCount)
        if bytes > MemoryBudget.freeBytes { try held.require(bytes) }
        var whole = page
        whole.memory = held
        whole.rows = ByteBuffer()
        var start = 0
        for (index, mark) in page.marks.enumerated() {
            // Without its end.
            if let row = page.rows.getSlice(at: page.rows.readerIndex + start, length: mark.end - start - 1) {
                whole.rows.writeImmutableBuffer(row)
            }
            start = mark.end
            Self.end(&whole.rows, with: lists, of: index)
        }
        return whole
    }

    private mutating func rows(
        of node: IncludeTree.Node, for keys: [String?], on connection: PostgresConnection
    ) throws -> [Row] {
        let columnCount = node.entity.shown.count
        var rows: [Row] = []
        var writer: ResultRows?
        var counts = [Int](repeating: 0, count: keys.count)
        try statement(of: node, for: keys).run(on: connection) { row in
            guard let place = row.int(0, columnCount + 2).map({ $0 - 1 }), keys.indices.contains(place) else {
                return true
            }
            guard rowsLeft > 0, bytesLeft > 0 else {
                truncate(node)
                return false
            }
            counts[place] += 1
            guard counts[place] <= limit else {
                truncate(node)
                return true
            }
            // With the row as it came, twice, and once more in its list.
            let bytes = 2 * byteCount + 4 * row.byteCount
            if bytes > MemoryBudget.freeBytes { try memory.require(bytes) }
            let columns = writer ?? ResultRows(row, count: columnCount)
            writer = columns
            var json = ByteBuffer()
            columns.write(0, of: row, to: &json)
            rowsLeft -= 1
            bytesLeft -= json.readableBytes
            byteCount += json.readableBytes
            json.moveWriterIndex(to: json.writerIndex - 1)
            rows.append(Row(place: place, key: row.string(0, columnCount), json: json))
            return true
        }
        return rows
    }

    private mutating func truncate(_ node: IncludeTree.Node) {
        if truncated.last != node.path { truncated.append(node.path) }
    }

    /// Its columns: the row's, its key, its number in the list, and the place of the row above.
    private func statement(of node: IncludeTree.Node, for keys: [String?]) -> SQLStatement {
        let entity = node.entity
        let order = ((entity.time(after: [node.reference.name]).map { [$0] } ?? []) + entity.key)
            .map { SQLStatement.quoted($0.name) }.joined(separator: ", ")
        let key = entity.key.first.map { SQLStatement.quoted($0.name) + "::text" } ?? "NULL"
        var statement = SQLStatement("SELECT child.*, parent.place")
        let places = statement.bind(
            PostgresParameter.literal(of: keys), as: node.reference.type + "[]", named: "include")
        statement.append("FROM unnest(\(places)) WITH ORDINALITY AS parent (key, place) CROSS JOIN LATERAL (")
        statement.append(
            "SELECT \(entity.columns), \(key) AS millrace_key, row_number() OVER (ORDER BY \(order)) AS millrace_row")
        statement.append("FROM \(entity.table.qualified) \(entity.condition(tenant: tenant))")
        statement.append("AND \(SQLStatement.quoted(node.reference.name)) = parent.key")
        statement.append("ORDER BY \(order) LIMIT \(limit + 1)) AS child")
        statement.append("ORDER BY parent.place, child.millrace_row LIMIT \(rowsLeft + 1)")
        return statement
    }
}
