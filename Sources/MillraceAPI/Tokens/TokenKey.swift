internal import FoundationEssentials
internal import JWTKit
internal import MillraceEvent
internal import MillracePostgres

/// One key that tokens are verified by, with its one algorithm.
struct TokenKey: Sendable {
    /// The `kid` of its tokens; nil: of those without.
    var keyID: String?
    var algorithm: JWTKey.Algorithm
    var verifier: JWTKeyCollection

    /// Throws what the cryptography says of a key that can't be read.
    init(_ key: JWTKey) async throws {
        switch key.material {
        case .secret(let secret):
            precondition(key.algorithm == .hs256, "the configuration refuses a secret for another algorithm")
            self = await Self(hmac: HMACKey(from: secret.value), keyID: key.id)
        case .publicKey(let pem): try await self.init(pem: pem, key.algorithm, keyID: key.id)
        }
    }

    /// HS256.
    init(hmac key: HMACKey, keyID: String?) async {
        self.keyID = keyID
        algorithm = .hs256
        verifier = await JWTKeyCollection().add(hmac: key, digestAlgorithm: .sha256)
    }

    private init(pem: String, _ algorithm: JWTKey.Algorithm, keyID: String?) async throws {
        self.keyID = keyID
        self.algorithm = algorithm
        let keys = JWTKeyCollection()
        switch algorithm {
        case .hs256: preconditionFailure("the configuration refuses a public key for HS256")
        case .rs256: verifier = await keys.add(rsa: try Insecure.RSA.PublicKey(pem: pem), digestAlgorithm: .sha256)
        case .ps256: verifier = await keys.add(pss: try Insecure.RSA.PublicKey(pem: pem), digestAlgorithm: .sha256)
        case .es256: verifier = await keys.add(ecdsa: try ES256PublicKey(pem: pem))
        case .es384: verifier = await keys.add(ecdsa: try ES384PublicKey(pem: pem))
        case .edDSA: verifier = await keys.add(eddsa: try EdDSA.PublicKey(pem: pem))
        }
    }

    /// Nil for one that Millrace has no use for: of encryption, of another algorithm.
    init?(_ entry: TokenKeySet.Entry) async throws {
        let keys = JWTKeyCollection()
        keyID = entry.kid
        guard entry.use == nil || entry.use == "sig",
            let algorithm = (entry.alg ?? entry.usualAlgorithm).flatMap(JWTKey.Algorithm.init)
        else { return nil }
        self.algorithm = algorithm
        switch (entry.kty, algorithm) {
        case ("RSA", .rs256): verifier = await keys.add(rsa: try entry.rsa, digestAlgorithm: .sha256)
        case ("RSA", .ps256): verifier = await keys.add(pss: try entry.rsa, digestAlgorithm: .sha256)
        case ("EC", .es256) where entry.crv == "P-256":
            verifier = await keys.add(ecdsa: try ES256PublicKey(parameters: (x: entry.x ?? "", y: entry.y ?? "")))
        case ("EC", .es384) where entry.crv == "P-384":
            verifier = await keys.add(ecdsa: try ES384PublicKey(parameters: (x: entry.x ?? "", y: entry.y ?? "")))
        case ("OKP", .edDSA) where entry.crv == "Ed25519":
            verifier = await keys.add(eddsa: try EdDSA.PublicKey(x: entry.x ?? "", curve: .ed25519))
        case ("oct", .hs256):
            guard let secret = Base64URL.decoded(entry.k ?? ""), secret.count >= JWTKey.secretBytesMin else {
                throw TokenVerifier.KeyError(
                    description: "its k is no base64url of \(JWTKey.secretBytesMin) bytes or more")
            }
            verifier = await keys.add(hmac: HMACKey(from: secret), digestAlgorithm: .sha256)
        default: return nil
        }
    }
}

extension TokenKeySet.Entry {
    /// What a key without `alg` is for.
    fileprivate var usualAlgorithm: String? {
        switch (kty, crv) {
        case ("RSA", _): "RS256"
        case ("EC", "P-256"): "ES256"
        case ("EC", "P-384"): "ES384"
        case ("OKP", "Ed25519"): "EdDSA"
        case ("oct", _): "HS256"
        default: nil
        }
    }

    fileprivate var rsa: Insecure.RSA.PublicKey {
        get throws { try Insecure.RSA.PublicKey(modulus: n ?? "", exponent: e ?? "") }
    }
}

extension Base64URL {
    /// Of keys and tokens, whose makers pad: nil for what is none.
    static func decoded(_ text: some StringProtocol) -> Data? {
        var plain = text.map { $0 == "-" ? "+" : $0 == "_" ? "/" : $0 }
        while !plain.count.isMultiple(of: 4) { plain.append("=") }
        return Data(base64Encoded: String(plain))
    }
}
