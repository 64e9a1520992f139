/// SQL as the rules look at it.
enum SQLText {
    /// Lower case, without comments, with every text between quotes as `''`, on single blanks; names in double quotes as
    /// they are without.
    static func bare(_ sql: String) -> String {
        let bytes = Array(sql.utf8)
        var bare: [UInt8] = []
        var position = 0
        func skip(to end: String) {
            let end = Array(end.utf8)
            while position < bytes.count, !bytes[position...].starts(with: end) { position += 1 }
            position += end.count
        }
        while position < bytes.count {
            let rest = bytes[position...]
            let byte = bytes[position]
            if rest.starts(with: "--".utf8) {
                skip(to: "\n")
            } else if rest.starts(with: "/*".utf8) {
                skip(to: "*/")
            } else if rest.starts(with: "$$".utf8) {
                position += 2
                skip(to: "$$")
                bare += "''".utf8
            } else if byte == UInt8(ascii: "'") {
                position += 1
                skip(to: "'")
                // A doubled quote ends one text and begins the next.
                if bare.suffix(2) != [UInt8(ascii: "'"), UInt8(ascii: "'")] { bare += "''".utf8 }
            } else if byte == UInt8(ascii: " ") || (9...13).contains(byte) {
                position += 1
                if let last = bare.last, last != UInt8(ascii: " ") { bare.append(UInt8(ascii: " ")) }
            } else {
                position += 1
                guard byte != UInt8(ascii: "\"") else { continue }
                let isCapital = (UInt8(ascii: "A")...UInt8(ascii: "Z")).contains(byte)
                bare.append(isCapital ? byte | 0x20 : byte)
            }
        }
        return String(decoding: bare, as: UTF8.self)
    }

    /// Without digits: statements that differ in numbers are one.
    static func shape(_ sql: String) -> String {
        String(decoding: bare(sql).utf8.filter { !(UInt8(ascii: "0")...UInt8(ascii: "9")).contains($0) }, as: UTF8.self)
    }

    /// Distributed tables and their months, with their schema.
    static func distributed(in bare: String) -> [Substring] {
        bare.matches(of: #/\bpublic\.(analytics_events|conversations|event_ids)(_y\d{4}m\d{2}\w*)?(?![\w])/#).map(
            \.output.0)
    }

    static func isDistributed(_ name: some StringProtocol) -> Bool {
        distributed(in: String(name)).contains { $0 == name }
    }
}

/// A query of a bare statement: what stands in its own parentheses, with the queries within.
struct SQLScope {
    struct Relation {
        var name: String
        var alias: String
        var isDistributed: Bool
        /// Of INSERT, COPY, UPDATE or DELETE.
        var isTarget: Bool
        /// Of INSERT: its rows come from elsewhere.
        var isFilled: Bool
    }

    /// The text without the queries within it.
    private(set) var own = ""
    private(set) var children: [SQLScope] = []
    /// Of SELECT list or condition: it may refer to the rows around it. Else it stands in FROM or WITH.
    private(set) var isInExpression = false
    private var whole = ""

    init(_ bare: String) {
        var position = bare.startIndex
        self.init(bare, &position, isInExpression: false)
    }

    private init(_ text: String, _ position: inout String.Index, isInExpression: Bool) {
        self.isInExpression = isInExpression
        var depth = 0
        let start = position
        while position < text.endIndex {
            let character = text[position]
            if character == "(" {
                let rest = text[text.index(after: position)...].drop(while: \.isWhitespace)
                let isQuery = ["select", "with", "insert", "update", "delete"].contains { word in
                    rest.hasPrefix(word) && rest.dropFirst(word.count).first.map { !$0.isLetter && $0 != "_" } ?? true
                }
                if isQuery {
                    let place = Self.isExpression(own)
                    position = text.index(after: position)
                    children.append(SQLScope(text, &position, isInExpression: place))
                    own += "()"
                    continue
                }
                depth += 1
            } else if character == ")" {
                if depth == 0 {
                    whole = String(text[start..<position])
                    position = text.index(after: position)
                    return
                }
                depth -= 1
            }
            own.append(character)
            position = text.index(after: position)
        }
        whole = String(text[start...])
    }

    /// Whether a query that follows `text` is neither a table nor a CTE, or a table that refers to others (LATERAL).
    private static func isExpression(_ text: String) -> Bool {
        let words = text.split(whereSeparator: { $0.isWhitespace }).suffix(2).map(String.init)
        guard let last = words.last else { return false }
        if last == "as" || last == "materialized" || last == "copy" { return false }
        return !["from", "join", ","].contains(last)
    }

    /// This one and all within.
    var all: [SQLScope] { [self] + children.flatMap(\.all) }

    var isUpdate: Bool { own.contains(#/\bupdate\s+(only\s+)?public\./#) }

    /// Tables that it names itself; CTEs and functions are none.
    var relations: [Relation] {
        own.matches(of: Self.named).map { match in
            let name = String(match.2)
            let isDeleted = match.1 == "from" && own[..<match.range.lowerBound].hasSuffix("delete ")
            return Relation(
                name: name, alias: match.3.map(String.init) ?? String(name.drop { $0 != "." }.dropFirst()),
                isDistributed: SQLText.isDistributed(name),
                isTarget: isDeleted || ["into", "update", "copy", "table"].contains(match.1),
                isFilled: match.1 == "into")
        }
    }

    // SAFETY: a constant that nobody changes.
    private nonisolated(unsafe) static let named =
        #/\b(from|join|into|update|using|copy|table)\s+(?:only\s+)?((?:public|projections\w*|pg_temp)\.\w+)(?![\w(])(?:\s+(?:as\s+)?(?!(?:where|set|on|order|group|limit|for|using|join|left|cross|returning|values|to|add|attach|detach|as)\b)(\w+))?/#

    /// Whether it, or a query within, names a column of one of `aliases` that it does not bring itself.
    func refers(to aliases: [String]) -> Bool {
        let own = Set(relations.map(\.alias))
        return aliases.contains { alias in
            !own.contains(alias)
                && whole.ranges(of: alias + ".").contains { range in
                    guard range.lowerBound > whole.startIndex else { return true }
                    let before = whole[whole.index(before: range.lowerBound)]
                    return !before.isLetter && !before.isNumber && before != "_" && before != "."
                }
        }
    }
}
