import JWTKit
import MillraceAPI
import MillraceEvent
import MillracePostgres
import Testing

struct TokenVerifierTests {
    private static let now = Timestamp(microseconds: 1_800_000_000_000_000)
    private static let secret = "a secret of at least thirty-two bytes"

    private func verifier(
        jwks: String? = nil, _ configure: (inout JWTConfiguration) throws -> Void = { _ in }
    ) async throws -> TokenVerifier {
        var configuration = JWTConfiguration()
        configuration.secret = Secret(Self.secret)
        configuration.leeway = .seconds(10)
        try configure(&configuration)
        return try await TokenVerifier(configuration, jwks: jwks)
    }

    /// With this key alone.
    private func verifier(_ algorithm: JWTKey.Algorithm, _ pem: String) async throws -> TokenVerifier {
        try await verifier {
            $0.secret = Secret("")
            $0.keys = [JWTKey(id: "key", algorithm: algorithm, material: .publicKey(pem: pem))]
        }
    }

    @Test func `a good token names its caller`() async throws {
        let caller = try await verifier().verify(TestToken(expiry: 1_800_000_060).signed(Self.secret), now: Self.now)
        #expect(caller.userID == UniqueID(TestToken.user))
        #expect(!caller.isService)
        let service = TestToken(subject: "worker", expiry: 1_800_000_060, role: "service_role")
        #expect(try await verifier().verify(service.signed(Self.secret), now: Self.now).isService)
    }

    @Test func `without a service role no token has one`() async throws {
        let verifier = try await verifier { $0.serviceRole = "" }
        let token = TestToken(expiry: 1_800_000_060, role: "")
        #expect(try await !verifier.verify(token.signed(Self.secret), now: Self.now).isService)
    }

    @Test(arguments: [
        (TestToken(expiry: 1_799_999_980), TokenError.expired),
        (TestToken(expiry: nil), .missingExpiry),
        (TestToken(expiry: 0), .expired),
        (TestToken(expiry: -1), .malformedToken),
        (TestToken(expiry: .max), .malformedToken),
        (TestToken(expiry: 253_402_300_800), .malformedToken),
        (TestToken(expiry: 1_800_000_060, notBefore: .max), .malformedToken),
        (TestToken(expiry: 1_800_000_060, notBefore: 1_800_000_020), .notYetValid),
        (TestToken(expiry: 1_800_000_060, issuer: "them"), .wrongIssuer),
        (TestToken(expiry: 1_800_000_060, audience: ["them"]), .wrongAudience),
        (TestToken(expiry: 1_800_000_060, audience: nil), .wrongAudience),
    ])
    func `claims are checked`(token: TestToken, error: TokenError) async throws {
        let verifier = try await verifier {
            $0.issuer = "us"
            $0.audience = "millrace"
        }
        await #expect(throws: error) { try await verifier.verify(token.signed(Self.secret), now: Self.now) }
    }

    @Test func `clocks may differ by the leeway`() async throws {
        for token in [TestToken(expiry: 1_799_999_995), TestToken(expiry: 1_800_000_060, notBefore: 1_800_000_005)] {
            _ = try await verifier().verify(token.signed(Self.secret), now: Self.now)
        }
    }

    @Test func `a token that was signed with another key or changed is refused`() async throws {
        let token = TestToken(expiry: 1_800_000_060)
        let other = try await token.signed("another secret of thirty-two bytes!")
        await #expect(throws: TokenError.invalidSignature) { try await verifier().verify(other, now: Self.now) }
        let parts = try await token.signed(Self.secret).split(separator: ".")
        for text in ["", "a.b", "a.b.c", "\(parts[0]).\(parts[1])"] {
            await #expect(throws: TokenError.malformedToken) { try await verifier().verify(text, now: Self.now) }
        }
    }

    @Test func `padding and the standard alphabet are refused`() async throws {
        var spellings = 0
        for name in ["", "a", "ab", "?>?>?>", "~~~~~~", "ÿÿÿÿÿÿ"] {
            let token = TestToken(expiry: 1_800_000_060, scope: name)
            let text = try await token.signed(Self.secret)
            _ = try await verifier().verify(text, now: Self.now)
            let parts = text.split(separator: ".").map(String.init)
            let padded = parts.map { $0 + String(repeating: "=", count: (4 - $0.utf8.count % 4) % 4) }
            let standard = text.replacing("-", with: "+").replacing("_", with: "/")
            for spelling in [padded.joined(separator: "."), standard, text + "=", text + "\n", text + "."]
            where spelling != text {
                spellings += 1
                await #expect(throws: TokenError.malformedToken, "\(spelling)") {
                    try await verifier().verify(spelling, now: Self.now)
                }
            }
        }
        #expect(spellings >= 24)
    }

    @Test func `no signature and a wrong algorithm are refused before the signature is looked at`() async throws {
        let claims = try await TestToken(expiry: 1_800_000_060).signed(Self.secret).split(separator: ".")[1]
        // {"alg":"none"}, {"alg":"HS512"}, {"alg":"RS256"}
        for header in ["eyJhbGciOiJub25lIn0", "eyJhbGciOiJIUzUxMiJ9", "eyJhbGciOiJSUzI1NiJ9"] {
            await #expect(throws: TokenError.wrongAlgorithm) {
                try await verifier().verify("\(header).\(claims).", now: Self.now)
            }
        }
    }

    @Test func `keys are pinned to their algorithm: a public key is no HMAC secret`() async throws {
        let key = ES256PrivateKey()
        let pem = key.publicKey.pemRepresentation
        let verifier = try await verifier(.es256, pem)
        let token = TestToken(expiry: 1_800_000_060)
        await #expect(throws: TokenError.wrongAlgorithm) {
            try await verifier.verify(token.signed(pem), now: Self.now)
        }
        _ = try await verifier.verify(token.signed(key), now: Self.now)
    }

    @Test func `RS256 is verified`() async throws {
        let key = try Insecure.RSA.PrivateKey(pem: TestToken.rsaPrivateKey)
        let verifier = try await verifier(.rs256, key.publicKey.pemRepresentation)
        let collection = await JWTKeyCollection().add(rsa: key, digestAlgorithm: .sha256)
        let token = try await collection.sign(TestToken(expiry: 1_800_000_060))
        _ = try await verifier.verify(token, now: Self.now)
    }

    @Test func `a JWKS file gives keys by kid`() async throws {
        let key = ES256PrivateKey()
        let parameters = try #require(key.publicKey.parameters)
        let jwks = """
            {"keys":[{"kty":"EC","crv":"P-256","alg":"ES256","use":"sig","kid":"one",
            "x":"\(parameters.x.base64URL)","y":"\(parameters.y.base64URL)"},
            {"kty":"oct","alg":"HS256","kid":"two","k":"YSBzZWNyZXQgb2YgYXQgbGVhc3QgdGhpcnR5LXR3byBieXRlcw"},
            {"kty":"OKP","crv":"X25519","use":"enc","kid":"three","x":"AA"}]}
            """
        let verifier = try await verifier(jwks: jwks) { $0.secret = Secret("") }
        let token = TestToken(expiry: 1_800_000_060)
        _ = try await verifier.verify(token.signed(key, keyID: "one"), now: Self.now)
        _ = try await verifier.verify(token.signed(Self.secret, keyID: "two"), now: Self.now)
        await #expect(throws: TokenError.unknownKey) {
            try await verifier.verify(token.signed(key, keyID: "four"), now: Self.now)
        }
        await #expect(throws: TokenError.wrongAlgorithm) {
            try await verifier.verify(token.signed(Self.secret, keyID: "one"), now: Self.now)
        }
    }

    @Test func `a key that can't be read is named, never shown`() async throws {
        let error = await #expect(throws: TokenVerifier.KeyError.self) {
            try await verifier(.rs256, "not a key")
        }
        #expect(error?.description.hasPrefix("key 1 of the token keys can't be read") == true)
    }
}

extension String {
    fileprivate var base64URL: String {
        String(filter { $0 != "=" }.map { $0 == "+" ? "-" : $0 == "/" ? "_" : $0 })
    }
}
