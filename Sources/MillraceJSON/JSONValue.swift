/// A JSON value whose objects keep the order of their members.
package indirect enum JSONValue: Sendable {
    case object([(String, JSONValue)])
    case array([JSONValue])
    case string(String)
    case integer(Int)
    case bool(Bool)

    /// Appends the value without white space; members and elements in their order.
    package func write(to json: inout JSONWriter) {
        switch self {
        case .object(let members):
            json.append(raw: "{")
            for (name, value) in members {
                json.append(name: name)
                value.write(to: &json)
            }
            json.append(raw: "}")
        case .array(let elements):
            json.append(raw: "[")
            for element in elements {
                json.separate()
                element.write(to: &json)
            }
            json.append(raw: "]")
        case .string(let text): json.append(text)
        case .integer(let number): json.append(number)
        case .bool(let bool): json.append(bool)
        }
    }

    /// An array of these strings.
    package static func strings(_ texts: [String]) -> JSONValue { .array(texts.map { .string($0) }) }
}

extension JSONValue: ExpressibleByStringLiteral, ExpressibleByArrayLiteral, ExpressibleByDictionaryLiteral {
    package init(stringLiteral value: String) {
        self = .string(value)
    }

    package init(arrayLiteral elements: JSONValue...) {
        self = .array(elements)
    }

    package init(dictionaryLiteral elements: (String, JSONValue)...) {
        self = .object(elements)
    }
}
