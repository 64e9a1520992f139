internal import JWTKit

/// The claims of a token, of whatever names.
struct TokenClaims: JWTPayload {
    private let claims: [String: Claim]

    init(from decoder: any Decoder) throws {
        claims = try decoder.singleValueContainer().decode([String: Claim].self)
    }

    func encode(to encoder: any Encoder) throws {
        var container = encoder.singleValueContainer()
        try container.encode(claims)
    }

    /// The claim at a path of names with dots between, or of the name that the whole path is; nil where there is none, or
    /// null.
    subscript(path: String) -> Claim? {
        var found = claims[path]
        if found == nil {
            var claim = Claim.object(claims)
            for name in path.split(separator: ".", omittingEmptySubsequences: false) {
                guard case .object(let members) = claim, let member = members[String(name)] else { return nil }
                claim = member
            }
            found = claim
        }
        if case .null = found { return nil }
        return found
    }

    /// Seconds since the epoch, of a claim that is missing or such a number.
    func seconds(_ name: String) throws(TokenError) -> Double? {
        guard let claim = self[name] else { return nil }
        guard case .number(let seconds) = claim, Self.times.contains(seconds) else { throw .malformedToken }
        return seconds
    }

    /// Time, issuer and audience are checked by `TokenVerifier`, which has the clock and the configuration.
    func verify(using algorithm: some JWTAlgorithm) async throws {}

    /// Up to the end of the year 9999: what is beyond was no meant time.
    private static let times = 0.0...253_402_300_799
}
