internal import NIOHTTP1

/// What pages of other origins are answered beside events.
enum PageAnswers {
    /// `GET /millrace.js`.
    static let snippet = {
        var answer = HTTPAnswer(status: 200, body: PackageResources.millrace_js)
        answer.contentType = "text/javascript; charset=utf-8"
        answer.headers = [
            ("Cache-Control", "public, max-age=3600"), ("Access-Control-Allow-Origin", "*"),
            ("Cross-Origin-Resource-Policy", "cross-origin"), ("X-Content-Type-Options", "nosniff"),
        ]
        return answer
    }()

    /// Whether a browser asks if a page may send what it wants to send (a preflight of CORS).
    static func isQuestion(_ head: HTTPRequestHead) -> Bool {
        head.method == .OPTIONS && head.headers.contains(name: "Access-Control-Request-Method")
    }

    /// The answer that the page may. Which fields it sends does not matter: it shows who it is by its origin and its key.
    static func welcome(_ head: HTTPRequestHead) -> HTTPAnswer {
        var answer = HTTPAnswer(status: 204, body: [])
        answer.contentType = nil
        answer.headers = [
            ("Access-Control-Allow-Methods", "GET, POST"), ("Access-Control-Max-Age", "86400"),
            ("Vary", "Origin, Access-Control-Request-Headers"),
        ]
        let fields = head.headers["Access-Control-Request-Headers"].joined(separator: ", ")
        if !fields.isEmpty { answer.headers.append(("Access-Control-Allow-Headers", fields)) }
        return answer
    }
}
