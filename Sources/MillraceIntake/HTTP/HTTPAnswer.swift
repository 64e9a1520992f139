internal import MillraceAccess
internal import MillraceDialects
internal import MillraceJSON
internal import MillraceRoutes
internal import NIOCore
internal import NIOHTTP1

/// A whole answer that the intake gives itself, small.
struct HTTPAnswer {
    var status: Int
    var headers: [(String, String)] = []
    /// Nil where there is no body.
    var contentType: String? = "application/json"
    var body: [UInt8]

    init(status: Int, body: [UInt8]) {
        self.status = status
        self.body = body
    }

    init(_ answer: DialectReply.Answer) {
        status = answer.status
        contentType = answer.contentType
        body = answer.body
        headers = answer.fields.map { ($0.key, $0.value) }
    }

    /// `audience`: whose clients look for the problem.
    init(_ problem: HTTPProblem, retryAfterSeconds: Int, to audience: HTTPAudience) {
        let (code, status) = (problem.code.rawValue, audience.status(of: problem))
        if audience.route == .openTelemetryLogs {
            self.init(
                .openTelemetryProblem(
                    code: code, message: problem.message, status: status, isProtobuf: audience.isProtobuf))
        } else if audience.route.isOfSDK {
            self.init(status: status, body: SDKErrorAnswer(code: code, message: problem.message).json)
        } else {
            self.init(status: status, body: ErrorAnswer(code: code, message: problem.message).json)
        }
        if status == 503 || status == 429 {
            headers.append(("Retry-After", String(problem.retryAfterSeconds ?? max(1, retryAfterSeconds))))
        }
        if status == 401 { headers.append(("WWW-Authenticate", AccessRefusal.challenge)) }
        if problem.code == .methodNotAllowed { headers.append(("Allow", "POST, GET, HEAD")) }
    }

    /// The answer as it goes over the wire, in one piece. `connection`: the field of that name, if there is one. `further`:
    /// fields where the answer has none of that name itself.
    func bytes(
        connection: String?, hasBody: Bool, further: [(String, String)] = [], _ allocator: ByteBufferAllocator
    ) -> ByteBuffer {
        let headers = headers + further.filter { field in !self.headers.contains { $0.0 == field.0 } }
        var buffer = allocator.buffer(capacity: 128 + 48 * headers.count + body.count)
        buffer.writeStaticString("HTTP/1.1 ")
        buffer.writeString(String(status))
        buffer.writeStaticString(" ")
        buffer.writeString(HTTPResponseStatus(statusCode: status).reasonPhrase)
        for (name, value) in headers { buffer.writeField(name, value) }
        if let contentType {
            buffer.writeField("Content-Type", contentType)
            buffer.writeField("Content-Length", String(body.count))
        }
        if let connection { buffer.writeField("Connection", connection) }
        buffer.writeStaticString("\r\n\r\n")
        if hasBody { buffer.writeBytes(body) }
        return buffer
    }
}

extension ByteBuffer {
    fileprivate mutating func writeField(_ name: String, _ value: String) {
        writeStaticString("\r\n")
        writeString(name)
        writeStaticString(": ")
        writeString(value)
    }
}
