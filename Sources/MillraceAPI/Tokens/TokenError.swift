/// Why a bearer token is not believed. Raw value = `error.code` of the 401.
package enum TokenError: String, Error, Sendable, CaseIterable {
    case missingToken = "missing_token"
    case malformedToken = "malformed_token"
    case tokenTooLong = "token_too_long"
    case unknownKey = "unknown_key"
    case wrongAlgorithm = "wrong_algorithm"
    case invalidSignature = "invalid_signature"
    case missingExpiry = "missing_expiry"
    case expired = "token_expired"
    case notYetValid = "token_not_yet_valid"
    case wrongIssuer = "wrong_issuer"
    case wrongAudience = "wrong_audience"
    case missingTenant = "missing_tenant"

    var message: String {
        switch self {
        case .missingToken: "send Authorization: Bearer with a JSON Web Token"
        case .malformedToken:
            "the bearer token is no JSON Web Token: three parts of base64url without padding, no name twice, times as numbers"
        case .tokenTooLong: "the bearer token is longer than jwt.token_bytes_max"
        case .unknownKey: "no key is configured for this token's kid"
        case .wrongAlgorithm:
            "the token's alg is not the one of its key; HS256, RS256, PS256, ES256, ES384 and EdDSA are taken"
        case .invalidSignature: "the token's signature does not fit"
        case .missingExpiry: "the token has no exp"
        case .expired: "the token has expired; get a new one"
        case .notYetValid: "the token is not valid yet (nbf)"
        case .wrongIssuer: "the token was issued by someone else (iss)"
        case .wrongAudience: "the token is meant for someone else (aud)"
        case .missingTenant: "the token has no tenant's number in the claim of jwt.tenant_claim"
        }
    }
}
