internal import MillraceEvent

/// The lines that the server writes on a TCP connection, each ended by `\n`.
enum TCPAnswers {
    static func hello(version: String) -> [UInt8] {
        var text = JSONText("{\"hello\":{\"server\":\"millrace\",\"version\":")
        text.append(version)
        text.append(raw: "}}\n")
        return text.bytes
    }

    /// What a client that speaks HTTP here gets.
    static var httpRefusal: [UInt8] {
        let body = error(
            code: "http_on_tcp", message: "this port takes lines over TCP; HTTP is spoken where http.listen says")
        let head =
            "HTTP/1.1 400 Bad Request\r\nConnection: close\r\nContent-Type: application/json\r\n"
            + "Content-Length: \(body.count)\r\n\r\n"
        return Array(head.utf8) + body
    }

    /// A message about the connection, not about a line.
    static func error(code: String, message: String) -> [UInt8] {
        var text = JSONText("{\"error\":")
        text.append(code: code, message: message)
        text.append(raw: "}\n")
        return text.bytes
    }

    static func answer(_ answer: TCPConnectionStateMachine.Answer) -> [UInt8] {
        var text = JSONText()
        for refusal in answer.refusals {
            text.append(raw: "{\"line\":")
            text.append(refusal.line)
            text.append(raw: ",\"error\":")
            text.append(code: refusal.refusal.code.rawValue, message: refusal.refusal.message)
            text.append(raw: "}\n")
        }
        text.append(raw: "{\"ack\":")
        text.append(answer.ack)
        text.append(raw: "}\n")
        return text.bytes
    }
}
