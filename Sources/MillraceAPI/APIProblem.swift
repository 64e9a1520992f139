internal import HTTPTypes
internal import Hummingbird
internal import MillraceAccess
internal import MillraceChannels
internal import MillraceEvent
internal import MillraceRoutes

/// A request that is not answered 2xx, in the contract's shape.
struct APIProblem: Error {
    var status: HTTPResponse.Status
    var code: String
    var message: String
    /// A cursor after what can't be answered.
    var next: String?
    var headers = HTTPFields()

    init(_ status: HTTPResponse.Status, _ code: String, _ message: String) {
        self.status = status
        self.code = code
        self.message = message
    }

    init(_ refusal: Refusal) {
        self.init(.badRequest, refusal.code.rawValue, refusal.message)
    }

    init(_ refusal: SpoolRefusal, retryAfterSeconds: Int) {
        self.init(refusal.rawValue, refusal.message, retryAfterSeconds: retryAfterSeconds)
    }

    /// A 503 that may be tried again.
    init(_ code: String, _ message: String, retryAfterSeconds: Int) {
        self.init(.serviceUnavailable, code, message)
        headers[.retryAfter] = String(retryAfterSeconds)
    }

    init(_ refusal: AccessRefusal) {
        self.init(.init(code: refusal.code.status), refusal.code.rawValue, refusal.message)
        switch refusal.code {
        case .unauthenticated: headers[.wwwAuthenticate] = AccessRefusal.challenge
        case .forbidden, .forbiddenOrigin: break
        case .rateLimited: headers[.retryAfter] = String(refusal.retryAfterSeconds)
        }
    }

    init(_ error: TokenError) {
        self.init(.unauthorized, error.rawValue, error.message)
        let detail = error == .missingToken ? "" : ", error=\"invalid_token\", error_description=\"\(error.message)\""
        headers[.wwwAuthenticate] = AccessRefusal.challenge + detail
    }

    /// `row`: the key (created_at, id) of the row.
    static func rowTooLarge(_ row: [String?], next: String) -> APIProblem {
        let name = "row \((row.last ?? nil) ?? "") of \((row.first ?? nil) ?? "")"
        var problem = APIProblem(
            .internalServerError, rowTooLargeCode,
            "\(name) can't be read: its numbers are too long once PostgreSQL prints them (limits.payload_text_bytes); shorten "
                + "or delete it; the cursor in next goes on after it")
        problem.next = next
        return problem
    }

    static let rowTooLargeCode = "row_too_large"

    var response: Response {
        Response(ErrorAnswer(code: code, message: message, next: next), status: status, headers: headers)
    }
}
