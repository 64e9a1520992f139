/// A whole answer that the intake gives itself: JSON, small.
struct HTTPAnswer {
    var status: Int
    var headers: [(String, String)] = []
    var body: [UInt8]
    /// True when the connection must not be used again.
    var closes = false

    init(status: Int, body: [UInt8]) {
        self.status = status
        self.body = body
    }

    init(_ problem: HTTPProblem, retryAfterSeconds: Int) {
        status = problem.code.status
        var text = JSONText("{\"error\":")
        text.append(code: problem.code.rawValue, message: problem.message)
        text.append(raw: "}")
        body = text.bytes
        if status == 503 { headers.append(("Retry-After", String(retryAfterSeconds))) }
        if problem.code == .methodNotAllowed { headers.append(("Allow", "POST")) }
    }
}
