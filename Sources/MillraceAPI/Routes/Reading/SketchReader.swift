internal import MillracePostgres
internal import MillraceProjections
internal import NIOCore

/// Merges the sketches of a group of rows as they come, so that one sketch is in memory, however many there are.
struct SketchReader: Sendable {
    /// Rows in order of their group: the group's columns, the same again as key, and last `columns(of:)`.
    let statement: SQLStatement
    let keyCount: Int
    let limit: Int
    /// Groups before the first one.
    var offset = 0
    /// Whether rows are chunks of sketches.
    let isChunked: Bool

    /// Whether a chunk and a sketch are all that the statement has.
    private var isPlain: Bool { keyCount == 0 }

    /// A whole sketch of an older table has 64 KiB at most, a chunk's row some 200 bytes; twice that in the protocol's text.
    private var rowsAtOnce: Int { isChunked ? 4096 : 32 }

    /// The columns of a table that a sketch is read from.
    static func columns(isChunked: Bool) -> [String] { [isChunked ? "chunk" : "NULL::smallint", "sketch"] }

    /// A group while its sketches come.
    private struct Group {
        var key: [String?]
        /// The group's columns as the members of a JSON object, up to where `"n"` follows.
        var head: ByteBuffer
        var sketch = HyperLogLog()
    }

    /// Groups as JSON objects with `n`, the estimate. Blocks.
    func read(on connection: PostgresConnection) throws -> Page {
        var page = Page()
        var skipped = 0
        try groups(on: connection) { group in
            guard skipped == offset else {
                skipped += 1
                return true
            }
            guard page.count < limit else {
                page.next = page.last
                return false
            }
            Self.write(group, to: &page)
            return true
        }
        // All rows are one group, also when there are none.
        if keyCount == 0, offset == 0, page.count == 0 {
            Self.write(Group(key: [], head: ByteBuffer(string: "{")), to: &page)
        }
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
        let fetch = "FETCH \(rowsAtOnce) FROM sketches"
        var group: Group?
        while true {
            // Without a group there is nothing that is wanted as text: it comes as it is instead of as hexadecimal digits.
            let result =
                if isPlain {
                    try connection.query(fetch, answersBinary: true)
                } else {
                    try connection.execute(fetch)
                }
            let columns = result.columns.count - 2 - keyCount
            for row in 0..<result.rowCount {
                let key = (columns..<columns + keyCount).map { result.string(row, $0) }
                if group?.key != key {
                    if let group, !body(group) { return }
                    group = Group(key: key, head: Self.head(row, columns, of: result))
                }
                merge(row, columns + keyCount, of: result, into: &group)
            }
            guard result.rowCount == rowsAtOnce else { break }
        }
        if let group { _ = body(group) }
    }

    private static func head(_ row: Int, _ columns: Int, of result: borrowing PostgresResult) -> ByteBuffer {
        var head = ByteBuffer()
        ResultRows(result, count: columns).write(row, of: result, to: &head)
        head.moveWriterIndex(to: head.writerIndex - 1)
        if columns > 0 { head.writeStaticString(",") }
        return head
    }

    private static func write(_ group: Group, to page: inout Page) {
        if page.count > 0 { page.rows.writeStaticString(",") }
        page.rows.writeImmutableBuffer(group.head)
        page.rows.writeString("\"n\":\(Int(group.sketch.estimate.rounded()))}")
        page.count += 1
        page.last = group.key
    }

    /// Adds the row's sketch, whose chunk is in `column`. What can't be understood is left out; `verify` shows it.
    private func merge(_ row: Int, _ column: Int, of result: borrowing PostgresResult, into group: inout Group?) {
        if isPlain {
            let chunk = result.withBytes(row, column) { bytes in
                bytes.map { Int(Int16(bigEndian: $0.loadUnaligned(as: Int16.self))) }
            }
            result.withBytes(row, column + 1) { bytes in
                if let bytes { _ = group?.sketch.merge(row: bytes, chunk: chunk) }
            }
        } else {
            let chunk = result.int(row, column)
            let bytes = result.withBytes(row, column + 1) { $0.map(Self.bytes) } ?? []
            bytes.withUnsafeBytes { _ = group?.sketch.merge(row: $0, chunk: chunk) }
        }
    }

    /// bytea's text is `\x` and two digits a byte.
    private static func bytes(_ text: UnsafeRawBufferPointer) -> [UInt8] {
        [UInt8](unsafeUninitializedCapacity: max(0, text.count / 2 - 1)) { bytes, count in
            count = max(0, text.count / 2 - 1)
            for index in 0..<count {
                bytes[index] = digit(text[2 * index + 2]) << 4 | digit(text[2 * index + 3])
            }
        }
    }

    private static func digit(_ letter: UInt8) -> UInt8 {
        letter < 0x3A ? letter &- 0x30 : letter &- 0x57
    }
}
