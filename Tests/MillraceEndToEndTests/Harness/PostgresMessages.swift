/// Cuts what a PostgreSQL client sends into messages.
///
/// ```
/// first message       later messages
/// 0  4  length        0  1  type
/// 4  …  parameters    1  4  length, itself included
///                     5  …  content
/// ```
/// | type | content (each text ends with a zero byte) |
/// | --- | --- |
/// | `Q` query | statements |
/// | `P` parse | the prepared statement's name, its text, … |
/// | `B` bind | the portal's name, the prepared statement's, … |
/// | `E` execute | the portal's name, … |
///
/// PostgreSQL's manual, "Message Formats".
struct PostgresMessages {
    struct Message {
        var bytes: [UInt8]
        /// With it the server ends the transaction by COMMIT.
        var isCommit: Bool
    }

    private var pending: [UInt8] = []
    private var start = 0
    private var isFirst = true
    /// Names of prepared statements that are COMMIT.
    private var commits: Set<String> = []
    /// Whether the portal that was bound last is one of them.
    private var isCommitBound = false

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
        let isCommit = !isFirst && isCommit(type: bytes[0], bytes.dropFirst(5))
        isFirst = false
        return Message(bytes: bytes, isCommit: isCommit)
    }

    private mutating func isCommit(type: UInt8, _ content: ArraySlice<UInt8>) -> Bool {
        switch type {
        case UInt8(ascii: "Q"): return Self.isCommit(Self.texts(in: content)[0])
        case UInt8(ascii: "P"):
            let texts = Self.texts(in: content)
            if Self.isCommit(texts[1]) { commits.insert(texts[0]) } else { commits.remove(texts[0]) }
            return false
        case UInt8(ascii: "B"):
            isCommitBound = commits.contains(Self.texts(in: content)[1])
            return false
        case UInt8(ascii: "E"): return isCommitBound
        default: return false
        }
    }

    /// The first two texts, and what follows them.
    private static func texts(in content: ArraySlice<UInt8>) -> [String] {
        content.split(separator: 0, maxSplits: 2, omittingEmptySubsequences: false)
            .map { String(decoding: $0, as: UTF8.self) }
    }

    /// Statements of which one begins with COMMIT; `ON COMMIT DELETE ROWS` does not.
    private static func isCommit(_ text: String) -> Bool {
        text.split(separator: ";").contains { $0.drop(while: \.isWhitespace).uppercased().hasPrefix("COMMIT") }
    }
}
