internal import MillraceChannels
internal import MillraceEvent
internal import MillraceJSON
internal import MillraceRoutes

/// Why the intake ends a connection, as it is told to the client.
struct TCPConnectionEnd: Equatable {
    enum Code: String {
        case tooManyConnections = "too_many_connections"
        case tooManyRefusedLines = "too_many_refused_lines"
        case invalidGreeting = "invalid_hello"
        case httpRequest = "http_on_tcp"
        case memoryShort = "memory_budget"
        case idle = "idle_timeout"
    }

    var code: Code
    var message: String

    static let tooManyConnections = TCPConnectionEnd(
        code: .tooManyConnections, message: "every connection is taken (tcp.connections_max); try later")
    static let httpRequest = TCPConnectionEnd(
        code: .httpRequest, message: "this port takes lines over TCP; HTTP is spoken where http.listen says")
    static let memoryShort = TCPConnectionEnd(code: .memoryShort, message: MemoryShortage.message)
    static let idle = TCPConnectionEnd(
        code: .idle, message: "nothing came for as long as tcp.idle_timeout; connect again")

    /// `max`: tcp.refused_lines_max.
    static func tooManyRefusedLines(max: Int) -> TCPConnectionEnd {
        TCPConnectionEnd(
            code: .tooManyRefusedLines,
            message: "\(max) more lines were refused than accepted (tcp.refused_lines_max), so the connection is "
                + "closed; see the first refusals")
    }

    /// `message`: what is wrong with the greeting.
    static func invalidGreeting(_ message: String) -> TCPConnectionEnd {
        TCPConnectionEnd(code: .invalidGreeting, message: message)
    }
}

/// The lines that the server writes on a TCP connection, each ended by `\n`.
enum TCPAnswers {
    static func hello(version: String) -> [UInt8] {
        var json = JSONWriter()
        json.append(raw: "{\"hello\":{\"server\":\"millrace\",\"version\":")
        json.append(version)
        json.append(raw: "}}\n")
        return json.bytes
    }

    /// Written as an HTTP answer to a client that speaks HTTP.
    static func end(_ end: TCPConnectionEnd) -> [UInt8] {
        let line = ErrorAnswer(code: end.code.rawValue, message: end.message).json + [UInt8(ascii: "\n")]
        guard end.code == .httpRequest else { return line }
        let head =
            "HTTP/1.1 400 Bad Request\r\nConnection: close\r\nContent-Type: application/json\r\n"
            + "Content-Length: \(line.count)\r\n\r\n"
        return Array(head.utf8) + line
    }

    static func answer(_ answer: TCPAnswer) -> [UInt8] {
        var json = JSONWriter()
        for refusal in answer.refusals {
            json.append(raw: "{\"line\":")
            json.append(refusal.line)
            json.append(raw: ",\"error\":")
            ErrorAnswer.Detail(code: refusal.refusal.code.rawValue, message: refusal.refusal.message)
                .write(to: &json)
            json.append(raw: "}\n")
        }
        json.append(raw: "{\"ack\":")
        json.append(answer.ack)
        json.append(raw: "}\n")
        return json.bytes
    }
}
