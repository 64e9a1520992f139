internal import FoundationEssentials
internal import MillraceClient
internal import MillraceJSON

/// A message of JSON-RPC 2.0, as the Model Context Protocol uses it: parameters are objects, and ids are never null.
enum MCPMessage: Equatable {
    typealias Parameters = [String: MillraceClient.JSONValue]

    case request(id: MCPID, method: String, Parameters)
    case notification(method: String, Parameters)
    /// To a request that this server never sends.
    case answer
    /// Not a message; with the id that it had, where it had one.
    case invalid(id: MCPID?)

    init(_ value: MillraceClient.JSONValue) {
        guard case .object(let members) = value, members["jsonrpc"] == .string("2.0") else {
            self = .invalid(id: nil)
            return
        }
        let id = members["id"].flatMap(MCPID.init)
        guard let method = members["method"] else {
            let isAnswer = members["result"] != nil || members["error"] != nil
            self = isAnswer ? .answer : .invalid(id: id)
            return
        }
        guard case .string(let name) = method, members["id"] == nil || id != nil else {
            self = .invalid(id: id)
            return
        }
        let parameters: Parameters
        switch members["params"] {
        case nil: parameters = [:]
        case .object(let given)?: parameters = given
        default:
            self = .invalid(id: id)
            return
        }
        self = id.map { .request(id: $0, method: name, parameters) } ?? .notification(method: name, parameters)
    }
}

/// The id of a request: a string or a whole number.
enum MCPID: Hashable, Sendable {
    case string(String)
    case integer(Int)

    /// Nil for anything else.
    init?(_ value: MillraceClient.JSONValue) {
        switch value {
        case .string(let text): self = .string(text)
        case .integer(let number): self = .integer(number)
        default: return nil
        }
    }
}

/// What the server answers, each a JSON text.
enum MCPAnswer {
    /// JSON-RPC's own codes.
    enum Failure: Int {
        case parseError = -32700
        case invalidRequest = -32600
        case methodNotFound = -32601
        case invalidParameters = -32602
    }

    /// `result`: JSON as it stands.
    static func success(_ id: MCPID, _ result: [UInt8]) -> [UInt8] {
        var json = head(id)
        json.append(name: "result")
        json.append(raw: result)
        json.append(raw: "}")
        return json.bytes
    }

    /// `id`: nil where the request had none that can be read.
    static func failure(_ id: MCPID?, _ failure: Failure, _ message: String) -> [UInt8] {
        var json = head(id)
        json.append(name: "error")
        json.append(raw: "{")
        json.append(name: "code")
        json.append(failure.rawValue)
        json.append(name: "message")
        json.append(message)
        json.append(raw: "}}")
        return json.bytes
    }

    /// Of a batch.
    static func list(_ answers: [[UInt8]]) -> [UInt8] {
        var json = JSONWriter()
        json.append(raw: "[")
        for answer in answers {
            json.separate()
            json.append(raw: answer)
        }
        json.append(raw: "]")
        return json.bytes
    }

    private static func head(_ id: MCPID?) -> JSONWriter {
        var json = JSONWriter()
        json.append(raw: "{\"jsonrpc\":\"2.0\"")
        json.append(name: "id")
        switch id {
        case .string(let text): json.append(text)
        case .integer(let number): json.append(number)
        case nil: json.append(raw: "null")
        }
        return json
    }
}
