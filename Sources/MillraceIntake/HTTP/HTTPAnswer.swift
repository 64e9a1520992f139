internal import MillraceAccess
internal import MillraceJSON
internal import MillraceRoutes
internal import NIOCore
internal import NIOHTTP1

/// A whole answer that the intake gives itself: JSON, small.
struct HTTPAnswer {
    var status: Int
    var headers: [(String, String)] = []
    var body: [UInt8]

    init(status: Int, body: [UInt8]) {
        self.status = status
        self.body = body
    }

    init(_ problem: HTTPProblem, retryAfterSeconds: Int) {
        status = problem.code.status
        body = ErrorAnswer(code: problem.code.rawValue, message: problem.message).json
        if status == 503 || status == 429 {
            headers.append(("Retry-After", String(problem.retryAfterSeconds ?? retryAfterSeconds)))
        }
        if status == 401 { headers.append(("WWW-Authenticate", AccessRefusal.challenge)) }
        if problem.code == .methodNotAllowed { headers.append(("Allow", "POST, GET, HEAD")) }
    }

    /// The answer as it goes over the wire, in one piece. `connection`: the field of that name, if there is one.
    func bytes(connection: String?, hasBody: Bool, _ allocator: ByteBufferAllocator) -> ByteBuffer {
        var buffer = allocator.buffer(capacity: 128 + 32 * headers.count + body.count)
        buffer.writeStaticString("HTTP/1.1 ")
        buffer.writeString(String(status))
        buffer.writeStaticString(" ")
        buffer.writeString(HTTPResponseStatus(statusCode: status).reasonPhrase)
        for (name, value) in headers { buffer.writeField(name, value) }
        buffer.writeStaticString("\r\nContent-Type: application/json\r\nContent-Length: ")
        buffer.writeString(String(body.count))
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
