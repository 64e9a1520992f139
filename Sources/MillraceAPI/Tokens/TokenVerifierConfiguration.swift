package import MillracePostgres

/// Which bearer tokens are believed.
package struct TokenVerifierConfiguration: Sendable {
    /// A key from the configuration; its algorithm is the only one it verifies.
    package enum Key: Sendable {
        case hs256(secret: String, keyID: String? = nil)
        case rs256(publicKeyPEM: String, keyID: String? = nil)
        case es256(publicKeyPEM: String, keyID: String? = nil)
    }

    @Unprinted package var keys: [Key] = []
    /// The text of a JWKS file, whose keys are believed, too.
    @Unprinted package var jwksJSON: String?
    /// The `iss` a token must have; nil takes any.
    package var issuer: String?
    /// What a token's `aud` must contain; nil takes any.
    package var audience: String?
    /// How far the clocks may differ.
    package var leeway = Duration.seconds(30)
    /// The claim whose value `serviceRole` lets a token write for every user.
    package var roleClaim = "role"
    package var serviceRole = "service_role"

    package init() {}
}
