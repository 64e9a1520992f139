internal import NIOHTTP1

/// What llhttp lets through and Millrace doesn't: anything that two servers could read in two ways.
enum HTTPFraming {
    static func problem(_ head: HTTPRequestHead, _ fields: HTTPRequestFields) -> HTTPProblem? {
        let lengths = fields.contentLengths
        let codings = fields.transferEncodings
        if lengths.count > 1 {
            return HTTPProblem(.malformedRequest, "more than one Content-Length")
        }
        if !lengths.isEmpty, !codings.isEmpty {
            return HTTPProblem(.malformedRequest, "Content-Length and Transfer-Encoding together")
        }
        if !codings.isEmpty, codings != ["chunked"], codings.map({ $0.lowercased() }) != ["chunked"] {
            return HTTPProblem(.malformedRequest, "Transfer-Encoding must be chunked alone")
        }
        if !codings.isEmpty, head.version == .http1_0 {
            return HTTPProblem(.malformedRequest, "Transfer-Encoding is not for HTTP/1.0")
        }
        if let expect = fields.expect, head.version == .http1_1, expect.lowercased() != "100-continue" {
            return HTTPProblem(.expectationFailed, "Expect must be 100-continue")
        }
        if fields.hosts > 1 || fields.hosts == 0 && head.version == .http1_1 {
            return HTTPProblem(.malformedRequest, "a request has exactly one Host")
        }
        return nil
    }

    /// `target`: nil when it is none.
    static func problem(_ head: HTTPRequestHead, _ target: HTTPRequestTarget?) -> HTTPProblem? {
        if head.method == .CONNECT { return HTTPProblem(.methodNotAllowed, "this is no proxy") }
        guard target != nil else {
            return HTTPProblem(
                .malformedRequest, "the target is neither a path nor an http URL, or its percent encoding is broken")
        }
        return nil
    }

    /// What the decoder's error means to the client.
    static func problem(_ error: HTTPParserError) -> HTTPProblem {
        switch error {
        case .headerOverflow:
            HTTPProblem(.headersTooLarge, "the request's headers are too large")
        case .invalidEOFState:
            HTTPProblem(.truncatedBody, "the request ends before it is whole")
        default:
            HTTPProblem(.malformedRequest, "not a request of HTTP/1.1 as it is written down: \(error)")
        }
    }
}
