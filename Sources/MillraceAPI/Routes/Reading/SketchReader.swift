internal import MillracePostgres
internal import MillraceProjections

/// Merges the sketches of a group of rows as they come, so that one sketch is in memory, however many there are.
struct SketchReader: Sendable {
    /// 64 KiB each at most, and twice that in the protocol's text.
    private static let rowsAtOnce = 32
    private static let fetch = "FETCH \(rowsAtOnce) FROM sketches"

    /// Rows in order of their group: the group's columns, the same again as key, and last the sketch.
    let statement: SQLStatement
    let keyCount: Int
    let limit: Int

    /// Whether the sketch is the statement's only column.
    private var isPlain: Bool { keyCount == 0 }

    /// A group while its sketches come.
    private struct Group {
        var key: [String?]
        /// The group's columns as a JSON object, without its end.
        var head: [UInt8]
        var sketch = HyperLogLog()
    }

    /// Groups as JSON objects with `n`, the estimate. Blocks.
    func read(on connection: PostgresConnection) throws -> Page {
        var page = Page()
        try groups(on: connection) { group in
            guard page.count < limit else {
                page.next = page.last
                return false
            }
            Self.write(group, to: &page)
            return true
        }
        // All rows are one group, also when there are none.
        if keyCount == 0, page.count == 0 { Self.write(Group(key: [], head: Array("{".utf8)), to: &page) }
        return page
    }

    /// Of all rows, when there are no groups. Blocks.
    func estimate(on connection: PostgresConnection) throws -> Int {
        precondition(keyCount == 0, "of one group only")
        var estimate = 0
        try groups(on: connection) { group in
            estimate = Int(group.sketch.estimate.rounded())
            return true
        }
        return estimate
    }

    /// Hands out each group when it is whole, until `body` returns false.
    private func groups(on connection: PostgresConnection, _ body: (Group) -> Bool) throws {
        try connection.execute("BEGIN")
        defer {
            do { try connection.execute("ROLLBACK") } catch { connection.close() }
        }
        var declared = statement
        declared.text = "DECLARE sketches NO SCROLL CURSOR FOR " + statement.text
        _ = try declared.run(on: connection)
        var group: Group?
        while true {
            // Without a group the sketch is the only column, and comes as it is instead of as hexadecimal digits.
            let result =
                if isPlain {
                    try connection.query(Self.fetch, answersBinary: true)
                } else {
                    try connection.execute(Self.fetch)
                }
            let columns = result.columns.count - 1 - keyCount
            for row in 0..<result.rowCount {
                let key = (columns..<columns + keyCount).map { result.string(row, $0) }
                if group?.key != key {
                    if let group, !body(group) { return }
                    group = Group(key: key, head: Self.head(row, columns, of: result))
                }
                let sketch =
                    isPlain
                    ? result.withBytes(row, 0) { $0.flatMap { HyperLogLog(bytes: $0) } }
                    : Self.sketch(row, columns + keyCount, of: result)
                if let sketch { group?.sketch.merge(sketch) }
            }
            guard result.rowCount == Self.rowsAtOnce else { break }
        }
        if let group { _ = body(group) }
    }

    private static func head(_ row: Int, _ columns: Int, of result: borrowing PostgresResult) -> [UInt8] {
        var json = JSONWriter()
        ResultRows(result, count: columns).write(row, of: result, to: &json)
        return json.bytes.dropLast()
    }

    private static func write(_ group: Group, to page: inout Page) {
        page.rows.separate()
        page.rows.append(raw: group.head)
        page.rows.append(name: "n")
        page.rows.append(Int(group.sketch.estimate.rounded()))
        page.rows.append(raw: "}")
        page.count += 1
        page.last = group.key
    }

    /// bytea's text is `\x` and two digits a byte.
    private static func sketch(_ row: Int, _ column: Int, of result: borrowing PostgresResult) -> HyperLogLog? {
        result.withBytes(row, column) { text in
            guard let text, text.count > 2 else { return nil }
            let bytes = [UInt8](unsafeUninitializedCapacity: text.count / 2 - 1) { bytes, count in
                count = bytes.count
                for index in 0..<count {
                    bytes[index] = digit(text[2 * index + 2]) << 4 | digit(text[2 * index + 3])
                }
            }
            return HyperLogLog(bytes: bytes)
        }
    }

    private static func digit(_ letter: UInt8) -> UInt8 {
        letter < 0x3A ? letter &- 0x30 : letter &- 0x57
    }
}
