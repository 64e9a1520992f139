extension MillraceClient {
    /// A value of an event's payload, written as a literal.
    ///
    /// ```swift
    /// let payload: [String: MillraceClient.JSONValue] = ["total": 12.5, "items": [["sku": "apple", "n": 3]], "note": nil]
    /// ```
    ///
    /// A number that has to keep digits beyond those of `Double`, such as an amount of money, goes in by a type of your own
    /// with a `Decimal`: see ``Event/init(_:userID:encoding:createdAt:id:)``.
    public enum JSONValue: Sendable, Hashable {
        case null
        case bool(Bool)
        case integer(Int)
        /// Finite; of one that is not, an event is refused when it is made.
        case number(Double)
        case string(String)
        case array([JSONValue])
        case object([String: JSONValue])
    }
}

extension MillraceClient.JSONValue: Encodable {
    /// Writes the value as it is. Throws `EncodingError` for a number that is not finite.
    public func encode(to encoder: any Encoder) throws {
        var container = encoder.singleValueContainer()
        switch self {
        case .null: try container.encodeNil()
        case .bool(let value): try container.encode(value)
        case .integer(let value): try container.encode(value)
        case .number(let value): try container.encode(value)
        case .string(let value): try container.encode(value)
        case .array(let elements): try container.encode(elements)
        case .object(let members): try container.encode(members)
        }
    }
}

extension MillraceClient.JSONValue: Decodable {
    /// Reads any value; a whole number that `Int` holds is an integer. Throws `DecodingError`.
    public init(from decoder: any Decoder) throws {
        let container = try decoder.singleValueContainer()
        if container.decodeNil() {
            self = .null
        } else if let value = try? container.decode(Bool.self) {
            self = .bool(value)
        } else if let value = try? container.decode(Int.self) {
            self = .integer(value)
        } else if let value = try? container.decode(Double.self) {
            self = .number(value)
        } else if let value = try? container.decode(String.self) {
            self = .string(value)
        } else if let elements = try? container.decode([Self].self) {
            self = .array(elements)
        } else {
            self = .object(try container.decode([String: Self].self))
        }
    }
}

extension MillraceClient.JSONValue: ExpressibleByNilLiteral, ExpressibleByBooleanLiteral, ExpressibleByIntegerLiteral,
    ExpressibleByFloatLiteral, ExpressibleByStringLiteral, ExpressibleByArrayLiteral, ExpressibleByDictionaryLiteral
{
    /// JSON's `null`.
    public init(nilLiteral: ()) { self = .null }

    /// `true` or `false`.
    public init(booleanLiteral value: Bool) { self = .bool(value) }

    /// A whole number.
    public init(integerLiteral value: Int) { self = .integer(value) }

    /// A number with a fraction.
    public init(floatLiteral value: Double) { self = .number(value) }

    /// A string.
    public init(stringLiteral value: String) { self = .string(value) }

    /// An array of the elements in their order.
    public init(arrayLiteral elements: Self...) { self = .array(elements) }

    /// An object; of a name that is there twice, the last one counts.
    public init(dictionaryLiteral elements: (String, Self)...) {
        self = .object(Dictionary(elements, uniquingKeysWith: { $1 }))
    }
}
