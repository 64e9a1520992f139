internal import MillraceAccess
internal import MillraceChannels

/// Why a request as a whole is refused.
struct HTTPProblem: Error, Equatable {
    /// Raw value = `error.code` of the answer.
    enum Code: String, CaseIterable {
        case unauthenticated
        case forbidden
        case rateLimited = "rate_limited"
        case malformedRequest = "malformed_request"
        case headersTooLarge = "headers_too_large"
        case headersTooSlow = "headers_too_slow"
        case tlsRequired = "tls_required"
        case unknownHost = "unknown_host"
        case forbiddenOrigin = "forbidden_origin"
        case expectationFailed = "expectation_failed"
        case methodNotAllowed = "method_not_allowed"
        case invalidAck = "invalid_ack"
        case unsupportedMediaType = "unsupported_media_type"
        case unsupportedEncoding = "unsupported_encoding"
        case invalidCompression = "invalid_compression"
        case truncatedBody = "truncated_body"
        case malformedBody = "malformed_body"
        case emptyBody = "empty_body"
        case bodyTooLarge = "body_too_large"
        case compressionRatioExceeded = "compression_ratio_exceeded"
        case bodyTooSlow = "body_too_slow"
        case tooManyConnections = "too_many_connections"
        case memoryBudget = "memory_budget"
        case nothingAccepted = "nothing_accepted"
        case spoolFull = "spool_full"
        case spoolFailed = "spool_failed"
        case draining = "draining"
        case unavailable = "unavailable"

        var status: Int {
            switch self {
            case .malformedRequest, .tlsRequired, .headersTooLarge, .invalidAck, .invalidCompression, .truncatedBody,
                .malformedBody, .emptyBody, .nothingAccepted:
                400
            case .unauthenticated: 401
            case .forbidden, .forbiddenOrigin: 403
            case .rateLimited: 429
            case .methodNotAllowed: 405
            case .expectationFailed: 417
            case .unknownHost: 421
            case .headersTooSlow, .bodyTooSlow: 408
            case .bodyTooLarge, .compressionRatioExceeded: 413
            case .unsupportedMediaType, .unsupportedEncoding: 415
            case .tooManyConnections, .memoryBudget, .spoolFull, .spoolFailed, .draining, .unavailable: 503
            }
        }
    }

    var code: Code
    var message: String
    /// `Retry-After`, where it is another one than the configuration's.
    var retryAfterSeconds: Int?

    init(_ code: Code, _ message: String) {
        self.code = code
        self.message = message
    }

    static let tlsRequired = HTTPProblem(
        .tlsRequired, "this port speaks TLS: use https://, or --tls with millrace's commands")

    init(_ refusal: AccessRefusal) {
        message = refusal.message
        switch refusal.code {
        case .unauthenticated: code = .unauthenticated
        case .forbidden: code = .forbidden
        case .forbiddenOrigin: code = .forbiddenOrigin
        case .rateLimited:
            code = .rateLimited
            retryAfterSeconds = refusal.retryAfterSeconds
        }
    }

    init(_ refusal: SpoolRefusal) {
        code =
            switch refusal {
            case .spoolFull: .spoolFull
            case .spoolFailed: .spoolFailed
            case .draining: .draining
            }
        message = refusal.message
    }
}
