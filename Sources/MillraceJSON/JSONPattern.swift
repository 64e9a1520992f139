/// A JSON value that others are held against as PostgreSQL's `jsonb @>` does it: an object contains one whose members it
/// has, whatever else it has; an array contains one whose elements it has, in any order; all else is equal.
///
/// A pattern of n values costs at most n looks at each value of a document, since each of them is compared with those at
/// its own depth only.
package struct JSONPattern: Sendable {
    package typealias Text = JSONScanner.Text

    private indirect enum Node: Sendable {
        case null
        case bool(Bool)
        case number(JSONDecimal?)
        /// Its text in UTF-8: strings are compared by their bytes, as the database does.
        case string([UInt8])
        case array([Node])
        /// Each name once: the last one counts.
        case object([(name: [UInt8], node: Node)])

        var valueCount: Int {
            switch self {
            case .null, .bool, .number, .string: 1
            case .array(let nodes): nodes.reduce(1) { $0 + $1.valueCount }
            case .object(let members): members.reduce(1) { $0 + $1.node.valueCount }
            }
        }
    }

    private let root: Node

    /// `text`: one valid JSON value; whoever has it from a stranger has it checked first.
    package init(_ text: Text) {
        root = Self.node(Self.trimmed(text))
    }

    /// Scalars, arrays and objects in it.
    package var valueCount: Int { root.valueCount }

    /// Of the object's members.
    package var names: [String] {
        guard case .object(let members) = root else { return [] }
        return members.map { String(decoding: $0.name, as: UTF8.self) }
    }

    /// Whether `document`, one valid JSON value, contains it.
    package func isContained(in document: Text) -> Bool {
        Self.contains(Self.trimmed(document), root)
    }

    private static func trimmed(_ text: Text) -> Text {
        let start = JSONScanner.afterSpace(text, text.startIndex)
        return text[start..<max(start, JSONScanner.afterValue(text, start))]
    }

    private static func node(_ text: Text) -> Node {
        switch text.first {
        case UInt8(ascii: "{"):
            var members: [(name: [UInt8], node: Node)] = []
            for (name, value) in latest(text) { members.append((name, node(value))) }
            return .object(members)
        case UInt8(ascii: "["): return .array(JSONScanner.elements(text).map { node($0) })
        case UInt8(ascii: "\""): return .string(Array(JSONString.text(of: text).utf8))
        case UInt8(ascii: "t"): return .bool(true)
        case UInt8(ascii: "f"): return .bool(false)
        case UInt8(ascii: "n"): return .null
        default: return .number(JSONDecimal(text))
        }
    }

    /// The members of an object, each name with its last value, as jsonb keeps them.
    private static func latest(_ object: Text) -> [[UInt8]: Text] {
        var values: [[UInt8]: Text] = [:]
        for member in JSONScanner.members(object) { values[Array(member.name.utf8)] = member.value }
        return values
    }

    private static func contains(_ value: Text, _ node: Node) -> Bool {
        switch node {
        case .null: return JSONScanner.isNull(value)
        case .bool(let bool): return bool ? value.elementsEqual("true".utf8) : value.elementsEqual("false".utf8)
        case .number(let number): return number != nil && JSONDecimal(value) == number
        case .string(let bytes): return isString(value, bytes)
        case .array(let nodes):
            guard value.first == UInt8(ascii: "[") else { return false }
            let elements = JSONScanner.elements(value)
            return nodes.allSatisfy { node in elements.contains { contains($0, node) } }
        case .object(let members):
            guard value.first == UInt8(ascii: "{") else { return false }
            let values = latest(value)
            return members.allSatisfy { name, node in values[name].map { contains($0, node) } ?? false }
        }
    }

    private static func isString(_ literal: Text, _ bytes: [UInt8]) -> Bool {
        guard literal.first == UInt8(ascii: "\"") else { return false }
        let inner = literal.dropFirst().dropLast()
        return inner.contains(UInt8(ascii: "\\"))
            ? JSONString.text(of: literal).utf8.elementsEqual(bytes) : inner.elementsEqual(bytes)
    }
}
