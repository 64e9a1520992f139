/// A text of SQL as the statements that it is made of: Citus takes no `CREATE INDEX` or `DROP INDEX` of a distributed table in
/// one message with others.
enum SQLStatements {
    /// Each with its comments and without its semicolon; what is only blanks and comments is left out. Knows quotes, dollar
    /// quotes and nested comments, and no `BEGIN ATOMIC`, which no migration uses.
    static func split(_ sql: String) -> [String] {
        var statements: [String] = []
        var scanner = Scanner(sql)
        while let statement = scanner.next() { statements.append(statement) }
        return statements
    }

    private struct Scanner {
        private let bytes: [UInt8]
        private var position = 0

        init(_ sql: String) {
            bytes = Array(sql.utf8)
        }

        mutating func next() -> String? {
            var start = position
            var isEmpty = true
            while position < bytes.count {
                let byte = bytes[position]
                switch byte {
                case UInt8(ascii: ";"):
                    position += 1
                    if !isEmpty { return String(decoding: bytes[start..<position - 1], as: UTF8.self) }
                    start = position
                case UInt8(ascii: "-") where follows("--"): skip(through: "\n")
                case UInt8(ascii: "/") where follows("/*"): skipComment()
                case UInt8(ascii: "'"), UInt8(ascii: "\""):
                    isEmpty = false
                    skipQuoted(byte)
                case UInt8(ascii: "$"):
                    isEmpty = false
                    skipDollar()
                default:
                    if !Self.isBlank(byte) { isEmpty = false }
                    position += 1
                }
            }
            return isEmpty ? nil : String(decoding: bytes[start...], as: UTF8.self)
        }

        private func follows(_ text: StaticString) -> Bool {
            text.withUTF8Buffer { text in
                bytes.count - position >= text.count && bytes[position..<position + text.count].elementsEqual(text)
            }
        }

        private mutating func skip(through end: Unicode.Scalar) {
            while position < bytes.count, bytes[position] != UInt8(ascii: end) { position += 1 }
            position = min(position + 1, bytes.count)
        }

        private mutating func skipComment() {
            var depth = 0
            repeat {
                if follows("/*") {
                    depth += 1
                    position += 2
                } else if follows("*/") {
                    depth -= 1
                    position += 2
                } else {
                    position += 1
                }
            } while depth > 0 && position < bytes.count
        }

        /// A doubled quote ends one text and begins the next, which comes to the same; after E, a backslash hides what follows.
        private mutating func skipQuoted(_ quote: UInt8) {
            let isEscaped =
                quote == UInt8(ascii: "'") && position > 0 && bytes[position - 1] | 0x20 == UInt8(ascii: "e")
                && (position < 2 || !Self.isOfName(bytes[position - 2]))
            position += 1
            while position < bytes.count, bytes[position] != quote {
                position += isEscaped && bytes[position] == UInt8(ascii: "\\") ? 2 : 1
            }
            position = min(position + 1, bytes.count)
        }

        /// `$$ … $$` or `$tag$ … $tag$`; `$1` is a parameter.
        private mutating func skipDollar() {
            var end = position + 1
            while end < bytes.count, Self.isOfName(bytes[end]) { end += 1 }
            let isTag =
                end < bytes.count && bytes[end] == UInt8(ascii: "$")
                && !(UInt8(ascii: "0")...UInt8(ascii: "9")).contains(bytes[position + 1])
            guard isTag else {
                position += 1
                return
            }
            let tag = bytes[position...end]
            position = end + 1
            while position < bytes.count, !bytes[position...].starts(with: tag) { position += 1 }
            position = min(position + tag.count, bytes.count)
        }

        private static func isBlank(_ byte: UInt8) -> Bool { byte == 0x20 || (0x09...0x0D).contains(byte) }

        private static func isOfName(_ byte: UInt8) -> Bool {
            switch byte {
            case UInt8(ascii: "a")...UInt8(ascii: "z"), UInt8(ascii: "A")...UInt8(ascii: "Z"),
                UInt8(ascii: "0")...UInt8(ascii: "9"), UInt8(ascii: "_"), 0x80...:
                true
            default: false
            }
        }
    }
}

extension PostgresConnection {
    /// Runs the statements of a migration in the open transaction: together, or with Citus one after the other, on one
    /// connection to each worker, as its DDL wants it. `timeout`: of one message.
    func executeMigration(_ sql: String, timeout: Duration) throws(PostgresError) {
        guard try lookForCitus() else {
            try execute(sql, timeout: timeout)
            return
        }
        try execute(Self.sequentialMode)
        for statement in SQLStatements.split(sql) {
            // A trigger of 0018 went when its table was distributed, and the text of a released migration stays as it is.
            let statement = statement.replacing("DROP TRIGGER conv", with: "DROP TRIGGER IF EXISTS conv")
            try execute(statement, timeout: timeout)
        }
    }

    /// Of Citus: DDL and queries go over one connection to each worker. To the end of the transaction; before that has touched a
    /// distributed table.
    package static let sequentialMode = "SET LOCAL citus.multi_shard_modify_mode TO 'sequential'"
}
