/// A JSON value whose objects keep the order of their members.
indirect enum JSONTree: Sendable {
    case object([(String, JSONTree)])
    case array([JSONTree])
    case string(String)
    case integer(Int)
    case bool(Bool)

    func write(to json: inout JSONWriter) {
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
        case .bool(let bool): json.append(raw: Array((bool ? "true" : "false").utf8))
        }
    }

    static func strings(_ texts: [String]) -> JSONTree { .array(texts.map { .string($0) }) }
}

extension JSONTree: ExpressibleByStringLiteral {
    init(stringLiteral value: String) {
        self = .string(value)
    }
}
