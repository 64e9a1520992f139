internal import MillraceJSON

/// A JSON text as values that know where they stand; numbers keep their digits.
struct JSONDocument {
    struct Value {
        enum Kind {
            case null
            case bool(Bool)
            case number
            case string(String)
            case array([Value])
            /// In their order; each name once.
            case object([(name: String, value: Value)])
        }

        var kind: Kind
        /// Counted from 1.
        var line: Int
        /// As it stands in the text.
        var text: ArraySlice<UInt8>

        /// For messages.
        var name: String {
            switch kind {
            case .null: "null"
            case .bool(let bool): "\(bool)"
            case .number: String(decoding: text, as: UTF8.self)
            case .string: "a string"
            case .array: "an array"
            case .object: "an object"
            }
        }
    }

    private static let depthMax = 100

    private let text: [UInt8]
    private var index = 0
    private var line = 1
    private var depth = 0

    /// Throws `SchemaError` without a pointer.
    static func parse(_ text: [UInt8]) throws(SchemaError) -> Value {
        var document = JSONDocument(text: text)
        document.skipSpace()
        let value = try document.value()
        document.skipSpace()
        guard document.index == text.count else { throw document.error("something stands behind the JSON value") }
        return value
    }

    private init(text: [UInt8]) {
        self.text = text
    }

    private func error(_ message: String) -> SchemaError {
        SchemaError(code: .invalidSyntax, pointer: "", line: line, message: "is no JSON: \(message)")
    }

    private var next: UInt8? { index < text.count ? text[index] : nil }

    private mutating func skipSpace() {
        while let byte = next, JSONScanner.isSpace(byte) {
            if byte == 0x0A { line += 1 }
            index += 1
        }
    }

    private mutating func take(_ byte: Unicode.Scalar) -> Bool {
        guard next == UInt8(ascii: byte) else { return false }
        index += 1
        return true
    }

    private mutating func value() throws(SchemaError) -> Value {
        let (start, startLine) = (index, line)
        let kind = try kind()
        return Value(kind: kind, line: startLine, text: text[start..<index])
    }

    private mutating func kind() throws(SchemaError) -> Value.Kind {
        switch next ?? 0 {
        case UInt8(ascii: "{"): return .object(try members())
        case UInt8(ascii: "["): return .array(try elements())
        case UInt8(ascii: "\""): return .string(try string())
        case UInt8(ascii: "-"), UInt8(ascii: "0")...UInt8(ascii: "9"):
            try number()
            return .number
        default:
            for (word, kind) in [("true", Value.Kind.bool(true)), ("false", .bool(false)), ("null", .null)]
            where text[index...].starts(with: word.utf8) {
                index += word.utf8.count
                return kind
            }
            throw error("a value is wanted")
        }
    }

    private mutating func deeper() throws(SchemaError) {
        depth += 1
        guard depth <= Self.depthMax else { throw error("more than \(Self.depthMax) values inside each other") }
    }

    private mutating func members() throws(SchemaError) -> [(name: String, value: Value)] {
        try deeper()
        defer { depth -= 1 }
        index += 1
        var members: [(name: String, value: Value)] = []
        var names: Set<[UInt8]> = []
        skipSpace()
        if take("}") { return members }
        while true {
            skipSpace()
            guard next == UInt8(ascii: "\"") else { throw error("a name in quotes is wanted") }
            let name = try string()
            guard names.insert(Array(name.utf8)).inserted else { throw error("\"\(name)\" is there twice") }
            skipSpace()
            guard take(":") else { throw error("a : is wanted behind \"\(name)\"") }
            skipSpace()
            members.append((name, try value()))
            skipSpace()
            if take("}") { return members }
            guard take(",") else { throw error("a , or } is wanted") }
        }
    }

    private mutating func elements() throws(SchemaError) -> [Value] {
        try deeper()
        defer { depth -= 1 }
        index += 1
        var elements: [Value] = []
        skipSpace()
        if take("]") { return elements }
        while true {
            skipSpace()
            elements.append(try value())
            skipSpace()
            if take("]") { return elements }
            guard take(",") else { throw error("a , or ] is wanted") }
        }
    }

    private mutating func string() throws(SchemaError) -> String {
        let start = index
        index += 1
        while let byte = next, byte != UInt8(ascii: "\"") {
            guard byte >= 0x20 else { throw error("a control character stands in a string") }
            index += byte == UInt8(ascii: "\\") ? 2 : 1
        }
        guard take("\"") else { throw error("a string without its end") }
        guard Self.hasValidEscapes(text[start + 1..<index - 1]) else {
            throw error("an escape that JSON does not have, \\u0000, or half of a surrogate pair")
        }
        return JSONString.text(of: text[start..<index])
    }

    /// `content`: of a string, between its quotes.
    private static func hasValidEscapes(_ content: ArraySlice<UInt8>) -> Bool {
        func unit(_ index: Int) -> UInt32? {
            guard content.indices.contains(index + 5), content[index] == UInt8(ascii: "\\"),
                content[index + 1] == UInt8(ascii: "u"), content[index + 2] != UInt8(ascii: "+")
            else { return nil }
            return UInt32(String(decoding: content[index + 2..<index + 6], as: UTF8.self), radix: 16)
        }
        var index = content.startIndex
        while index < content.endIndex {
            guard content[index] == UInt8(ascii: "\\") else {
                index += 1
                continue
            }
            guard content.indices.contains(index + 1) else { return false }
            guard content[index + 1] == UInt8(ascii: "u") else {
                guard "\"\\/bfnrt".utf8.contains(content[index + 1]) else { return false }
                index += 2
                continue
            }
            guard let first = unit(index), first != 0, !(0xDC00...0xDFFF).contains(first) else { return false }
            index += 6
            guard (0xD800...0xDBFF).contains(first) else { continue }
            guard let second = unit(index), (0xDC00...0xDFFF).contains(second) else { return false }
            index += 6
        }
        return true
    }

    private mutating func digits() throws(SchemaError) {
        let start = index
        while let byte = next, (UInt8(ascii: "0")...UInt8(ascii: "9")).contains(byte) { index += 1 }
        guard index > start else { throw error("a number without a digit") }
    }

    private mutating func number() throws(SchemaError) {
        _ = take("-")
        if !take("0") { try digits() }
        if take(".") { try digits() }
        if take("e") || take("E") {
            if !take("+") { _ = take("-") }
            try digits()
        }
        if let byte = next, (UInt8(ascii: "0")...UInt8(ascii: "9")).contains(byte) {
            throw error("a number that begins with 0")
        }
    }
}

extension JSONDocument.Value {
    /// The value of a member; nil where it has none, or is no object.
    subscript(name: String) -> JSONDocument.Value? {
        guard case .object(let members) = kind else { return nil }
        return members.first { $0.name.utf8.elementsEqual(name.utf8) }?.value
    }
}
