internal import MillraceJSON

/// A claim's value.
indirect enum Claim: Codable {
    case null
    case bool(Bool)
    case number(Double)
    case text(String)
    case list([Claim])
    case object([String: Claim])

    init(from decoder: any Decoder) throws {
        let container = try decoder.singleValueContainer()
        if container.decodeNil() {
            self = .null
        } else if let value = try? container.decode(Bool.self) {
            self = .bool(value)
        } else if let value = try? container.decode(Double.self) {
            self = .number(value)
        } else if let value = try? container.decode(String.self) {
            self = .text(value)
        } else if let value = try? container.decode([Claim].self) {
            self = .list(value)
        } else {
            self = .object(try container.decode([String: Claim].self))
        }
    }

    func encode(to encoder: any Encoder) throws {
        var container = encoder.singleValueContainer()
        switch self {
        case .null: try container.encodeNil()
        case .bool(let value): try container.encode(value)
        case .number(let value): try container.encode(value)
        case .text(let value): try container.encode(value)
        case .list(let value): try container.encode(value)
        case .object(let value): try container.encode(value)
        }
    }

    var text: String? { if case .text(let text) = self { text } else { nil } }

    /// Words: of a text, with blanks between (RFC 8693), or the texts of a list.
    var words: Set<String> {
        switch self {
        case .text(let text): Set(text.split(separator: " ").map(String.init))
        case .list(let items): Set(items.compactMap(\.text))
        case .null, .bool, .number, .object: []
        }
    }

    /// A tenant's number, as a number or in decimal digits.
    var tenant: Int32? {
        switch self {
        case .number(let number): Int32(exactly: number).flatMap { $0 >= 0 ? $0 : nil }
        case .text(let text) where !text.isEmpty && text.utf8.allSatisfy { (0x30...0x39).contains($0) }: Int32(text)
        case .null, .bool, .text, .list, .object: nil
        }
    }
}

extension JSONScanner {
    /// Whether an object in the valid JSON `text` has two members of one name, of which another reader may take the other.
    static func hasRepeatedNames(_ text: Text) -> Bool {
        let start = afterSpace(text, text.startIndex)
        guard start < text.endIndex else { return false }
        switch text[start] {
        case UInt8(ascii: "{"):
            let members = members(text)
            return Set(members.map(\.name)).count < members.count || members.contains { hasRepeatedNames($0.value) }
        case UInt8(ascii: "["): return elements(text).contains { hasRepeatedNames($0) }
        default: return false
        }
    }
}
