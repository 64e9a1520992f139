internal import MillraceDialects
internal import MillraceRoutes

/// Whom a request is answered: what its client looks for, beyond the answer itself.
struct HTTPAudience: Equatable {
    var route: HTTPRoute
    /// The request is protobuf, and so are answers to it.
    var isProtobuf = false

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
