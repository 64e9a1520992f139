package import MillracePostgres

/// `[jwt]`: which bearer tokens are believed, and what they say of their holders.
package struct JWTConfiguration: Sendable, Equatable {
    /// HS256 secret of tokens without a kid; empty: none.
    package var secret = Secret("")
    package var keys: [JWTKey] = []
    /// A JSON Web Key Set with further keys; empty: none.
    package var jwksFile = ""
    /// Where a JSON Web Key Set with further keys is fetched; empty: none.
    package var jwksURL = ""
    /// From one fetch to the next.
    package var jwksRefresh = Duration.seconds(600)
    /// Between two fetches for the sake of tokens whose key is not known.
    package var jwksRetry = Duration.seconds(60)
    /// Of a fetch, redirects included.
    package var jwksTimeout = Duration.seconds(5)
    /// Of a fetched set.
    package var jwksBytesMax = 256 << 10
    /// The `iss` a token must have; empty takes any.
    package var issuer = ""
    /// What a token's `aud` must contain; empty takes any.
    package var audience = ""
    /// How far the clocks may differ.
    package var leeway = Duration.seconds(30)
    /// The value of the claim `role` that lets a token write for every user; empty: none.
    package var serviceRole = "service_role"
    /// Claims, as paths of names with dots between.
    package var subjectClaim = "sub"
    /// Empty: every token is of tenant 0.
    package var tenantClaim = ""
    package var scopeClaim = "scope"
    /// Words of the scope claim, and what they let a token do; empty: no word does.
    package var readScope = "millrace:read"
    package var writeScope = "millrace:write"
    package var adminScope = "millrace:admin"
    package var decryptScope = "millrace:decrypt"
    /// Of a whole token.
    package var tokenBytesMax = 8 << 10

    package init() {}
}

/// A key that signs bearer tokens: one `[[jwt.keys]]` table. It pins the one algorithm it is used with.
package struct JWTKey: Sendable, Equatable {
    package enum Algorithm: String, Sendable, CaseIterable {
        case hs256 = "HS256"
        case rs256 = "RS256"
        case ps256 = "PS256"
        case es256 = "ES256"
        case es384 = "ES384"
        case edDSA = "EdDSA"
    }

    package enum Material: Sendable, Equatable {
        /// HS256. Shared, at least `JWTKey.secretBytesMin` bytes.
        case secret(Secret)
        /// The others. A public key as PEM text.
        case publicKey(pem: String)
    }

    /// RFC 7518, section 3.2: a key of the size of the hash, or larger.
    package static let secretBytesMin = 32

    /// The token's `kid`.
    package var id: String
    package var algorithm: Algorithm
    package var material: Material

    package init(id: String, algorithm: Algorithm, material: Material) {
        self.id = id
        self.algorithm = algorithm
        self.material = material
    }
}
