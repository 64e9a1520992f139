import FoundationEssentials

/// A JSON value, read by member and place.
@dynamicMemberLookup
enum JSONObject: Decodable, Equatable, CustomStringConvertible {
    case object([String: JSONObject])
    case array([JSONObject])
    case string(String)
    case number(Double)
    case bool(Bool)
    case null

    init(_ text: String) {
        self = (try? JSONDecoder().decode(JSONObject.self, from: Data(text.utf8))) ?? .null
    }

    init(from decoder: any Decoder) throws {
        let container = try decoder.singleValueContainer()
        if container.decodeNil() {
            self = .null
        } else if let bool = try? container.decode(Bool.self) {
            self = .bool(bool)
        } else if let number = try? container.decode(Double.self) {
            self = .number(number)
        } else if let string = try? container.decode(String.self) {
            self = .string(string)
        } else if let array = try? container.decode([JSONObject].self) {
            self = .array(array)
        } else {
            self = .object(try container.decode([String: JSONObject].self))
        }
    }

    subscript(dynamicMember name: String) -> JSONObject { self[name] }

    subscript(name: String) -> JSONObject {
        if case .object(let members) = self { members[name] ?? .null } else { .null }
    }

    subscript(index: Int) -> JSONObject { elements.indices.contains(index) ? elements[index] : .null }

    var elements: [JSONObject] {
        if case .array(let elements) = self { elements } else { [] }
    }

    var members: [String: JSONObject] {
        if case .object(let members) = self { members } else { [:] }
    }

    var text: String? {
        if case .string(let text) = self { text } else { nil }
    }

    var int: Int? {
        if case .number(let number) = self { Int(number) } else { nil }
    }

    var description: String {
        switch self {
        case .object(let members): "{\(members.map { "\($0.key):\($0.value)" }.sorted().joined(separator: ","))}"
        case .array(let elements): "[\(elements.map(\.description).joined(separator: ","))]"
        case .string(let text): text
        case .number(let number): "\(number)"
        case .bool(let bool): "\(bool)"
        case .null: "null"
        }
    }
}
