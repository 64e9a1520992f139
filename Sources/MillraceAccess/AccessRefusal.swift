/// Why a request or a connection is not let in. One message a code: which of several reasons it was, nobody is told.
package struct AccessRefusal: Error, Sendable, Equatable {
    /// Raw value = wire code.
    package enum Code: String, Sendable, CaseIterable {
        case unauthenticated
        case forbidden
        case forbiddenOrigin = "forbidden_origin"
        case rateLimited = "rate_limited"

        /// Of HTTP.
        package var status: Int {
            switch self {
            case .unauthenticated: 401
            case .forbidden, .forbiddenOrigin: 403
            case .rateLimited: 429
            }
        }
    }

    package let code: Code
    package let message: String
    /// Of `rateLimited`: how long until something may be let in.
    package let wait: Duration

    private init(_ code: Code, _ message: String, wait: Duration = .zero) {
        self.code = code
        self.message = message
        self.wait = wait
    }

    /// None, wrong, revoked and expired keys.
    package static let unauthenticated = AccessRefusal(
        .unauthenticated, "a key in force is wanted: Authorization: Bearer mr_…, or key in the greeting of TCP")

    /// The field `WWW-Authenticate` of every 401.
    package static let challenge = "Bearer realm=\"millrace\""

    /// A key in force that may not do this.
    package static func forbidden(_ scope: AccessScope) -> AccessRefusal {
        AccessRefusal(.forbidden, "this key has not the scope \(scope.rawValue)")
    }

    /// A page of another origin than those of the key, or of the settings where no key is wanted.
    package static let forbiddenOrigin = AccessRefusal(
        .forbiddenOrigin,
        "a page of another origin sent this, and it is none of those of the key (`millrace keys create --origin`), or, "
            + "without keys, of http.cors_origins")

    /// - Parameters:
    ///   - limit: what is used up, such as "this key's rate".
    ///   - wait: how long until something may be let in.
    package static func rateLimited(_ limit: String, wait: Duration = .zero) -> AccessRefusal {
        AccessRefusal(.rateLimited, "\(limit) is used up; try again after the time in Retry-After", wait: wait)
    }

    /// `Retry-After`: whole seconds, at least 1.
    package var retryAfterSeconds: Int {
        let (seconds, rest) = wait.components
        return max(1, Int(seconds) + (rest > 0 ? 1 : 0))
    }
}
