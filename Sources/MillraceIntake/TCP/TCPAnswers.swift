internal import MillraceEvent
internal import MillraceJSON
internal import MillraceRoutes

/// The lines that the server writes on a TCP connection, each ended by `\n`.
enum TCPAnswers {
    static func hello(version: String) -> [UInt8] {
        var json = JSONWriter()
        json.append(raw: "{\"hello\":{\"server\":\"millrace\",\"version\":")
        json.append(version)
        json.append(raw: "}}\n")
        return json.bytes
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
        ErrorAnswer(code: code, message: message).json + [UInt8(ascii: "\n")]
    }

    static func answer(_ answer: TCPConnectionStateMachine.Answer) -> [UInt8] {
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
