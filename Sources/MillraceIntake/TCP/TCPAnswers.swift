internal import MillraceAccess
internal import MillraceChannels
internal import MillraceEvent
internal import MillraceJSON
internal import MillraceRoutes

/// Why the intake ends a connection, as it is told to the client.
struct TCPConnectionEnd: Equatable {
    enum Code: String {
        case unauthenticated
        case forbidden
        case rateLimited = "rate_limited"
        case tooManyConnections = "too_many_connections"
        case tooManyRefusedLines = "too_many_refused_lines"
        case invalidGreeting = "invalid_hello"
        case httpRequest = "http_on_tcp"
        case tlsHello = "tls_on_plain_text"
        case memoryShort = "memory_budget"
        case idle = "idle_timeout"
    }

    var code: Code
    var message: String

    static let tooManyConnections = TCPConnectionEnd(
        code: .tooManyConnections, message: "every connection is taken (tcp.connections_max); try later")
    static let httpRequest = TCPConnectionEnd(
        code: .httpRequest, message: "this port takes lines over TCP; HTTP is spoken where http.listen says")
    static let tlsHello = TCPConnectionEnd(
        code: .tlsHello, message: "this port takes plain text; TLS is spoken where tcp.tls is set")
    static let memoryShort = TCPConnectionEnd(code: .memoryShort, message: MemoryShortage.message)
    static let idle = TCPConnectionEnd(
        code: .idle, message: "nothing came for as long as tcp.idle_timeout; connect again")

    static let tooManyOfAddress = TCPConnectionEnd(.rateLimited("limits.address_connections_max"))

    init(code: Code, message: String) {
        self.code = code
        self.message = message
    }

    init(_ refusal: AccessRefusal) {
        message = refusal.message
        code =
            switch refusal.code {
            case .unauthenticated: .unauthenticated
            // No page speaks TCP.
            case .forbidden, .forbiddenOrigin: .forbidden
            case .rateLimited: .rateLimited
            }
    }

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
    /// `tenant`: whose the lines become; 0 goes without saying.
    static func hello(version: String, tenant: Int32) -> [UInt8] {
        var json = JSONWriter()
        json.append(raw: "{\"hello\":{\"server\":\"millrace\",\"version\":")
        json.append(version)
        if tenant != 0 { json.append(raw: ",\"tenant\":\(tenant)".utf8) }
        json.append(raw: "}}\n")
        return json.bytes
    }

    /// To a client that speaks plain text where TLS is spoken.
    static var tlsRequired: [UInt8] {
        let problem = HTTPProblem.tlsRequired
        return ErrorAnswer(code: problem.code.rawValue, message: problem.message).json + [UInt8(ascii: "\n")]
    }

    /// Its sender is read no further for its rate.
    static let limit: [UInt8] = {
        var json = JSONWriter()
        json.append(raw: "{\"limited\":")
        ErrorAnswer.Detail(
            code: AccessRefusal.Code.rateLimited.rawValue,
            message:
                "more came than the rate of this key or address allows: it is read no faster than that; nothing is lost"
        ).write(to: &json)
        json.append(raw: "}\n")
        return json.bytes
    }()

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
        var reports = answer.reports[...]
        for refusal in answer.refusals {
            while let report = reports.first, report.line < refusal.line { append(reports.removeFirst(), to: &json) }
            append(refusal.line, "error", to: &json)
            ErrorAnswer.Detail(code: refusal.refusal.code.rawValue, message: refusal.refusal.message)
                .write(to: &json)
            json.append(raw: "}\n")
        }
        for report in reports { append(report, to: &json) }
        for totals in answer.totals { append(totals, to: &json) }
        json.append(raw: "{\"ack\":")
        json.append(answer.ack)
        json.append(raw: "}\n")
        return json.bytes
    }

    private static func append(_ line: UInt64, _ name: String, to json: inout JSONWriter) {
        json.append(raw: "{\"line\":")
        json.append(line)
        json.append(name: name)
    }

    private static func append(_ reported: TCPAnswer.Report, to json: inout JSONWriter) {
        switch reported.report.fate {
        case .dead:
            append(reported.line, "dead_letter", to: &json)
            DeadItem.Detail(reported.report).write(to: &json)
        case .parked(let pack, let fold):
            append(reported.line, "parked", to: &json)
            ParkedItem.Detail(reported.report, pack: pack, fold: fold).write(to: &json)
        }
        json.append(raw: "}\n")
    }

    private static func append(_ totals: TCPAnswer.Totals, to json: inout JSONWriter) {
        json.append(raw: "{\"lines\":{")
        json.append(name: "first")
        json.append(totals.lines.lowerBound)
        json.append(name: "last")
        json.append(totals.lines.upperBound)
        json.append(raw: "}")
        json.append(name: "parked_total")
        json.append(totals.parked)
        json.append(name: "dead_letters_total")
        json.append(totals.dead)
        json.append(raw: "}\n")
    }
}
