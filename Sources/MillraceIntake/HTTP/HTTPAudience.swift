internal import MillraceDialects
internal import MillraceRoutes

/// Whom a request is answered: what its client looks for, beyond the answer itself.
struct HTTPAudience: Equatable {
    var route: HTTPRoute
    /// The request is protobuf, and so are answers to it.
    var isProtobuf = false
    /// Of the page of another origin that may read the answer.
    var pageOrigin: String?
    /// The key is in the query, where caches find it.
    var hasQueryKey = false

    /// Fields of every answer.
    var fields: [(String, String)] {
        var fields: [(String, String)] = []
        if let pageOrigin {
            fields = [
                ("Access-Control-Allow-Origin", pageOrigin),
                // Beacons come with credentials, of which none open anything that pages send to.
                ("Access-Control-Allow-Credentials", "true"), ("Access-Control-Expose-Headers", "Retry-After"),
                ("Vary", "Origin"),
            ]
        }
        if hasQueryKey { fields.append(("Cache-Control", "private, no-store")) }
        return fields
    }

    /// What its clients take for a problem that passes; others they give up at.
    func status(of problem: HTTPProblem) -> Int {
        switch route {
        case .postHogV1 where problem.code == .rateLimited: 503
        // Only 429, 502, 503 and 504 are tried again.
        case .openTelemetryLogs where problem.code.status == 408: 503
        default: problem.code.status
        }
    }
}
