/// Cuts what a PostgreSQL client sends into messages.
///
/// ```
/// first message       later messages
/// 0  4  length        0  1  type ('Q' query, 'P' parse, 'd' COPY data …)
/// 4  …  parameters    1  4  length, itself included
///                     5  …  content
/// ```
/// PostgreSQL's manual, "Message Formats".
struct PostgresMessages {
    struct Message {
        var bytes: [UInt8]
        /// A query that ends the transaction by COMMIT.
        var isCommit: Bool
    }

    private var pending: [UInt8] = []
    private var start = 0
    private var isFirst = true

    mutating func append(_ bytes: some Collection<UInt8>) {
        if start > 0 {
            pending.removeFirst(start)
            start = 0
        }
        pending += bytes
    }

    /// The next whole message.
    mutating func next() -> Message? {
        let head = isFirst ? 0 : 1
        guard pending.count - start >= head + 4 else { return nil }
        let length = pending[(start + head)..<(start + head + 4)].reduce(0) { $0 << 8 | Int($1) }
        guard pending.count - start >= head + length else { return nil }
        let bytes = Array(pending[start..<(start + head + length)])
        start += bytes.count
        let isQuery = !isFirst && (bytes[0] == UInt8(ascii: "Q") || bytes[0] == UInt8(ascii: "P"))
        isFirst = false
        return Message(bytes: bytes, isCommit: isQuery && Self.isCommit(bytes.dropFirst(5)))
    }

    /// A statement that begins with COMMIT; `ON COMMIT DELETE ROWS` does not.
    private static func isCommit(_ text: ArraySlice<UInt8>) -> Bool {
        String(decoding: text, as: UTF8.self).split(separator: ";").contains { statement in
            statement.drop { $0.isWhitespace || $0 == "\0" }.uppercased().hasPrefix("COMMIT")
        }
    }
}
