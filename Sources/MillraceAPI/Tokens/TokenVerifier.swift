internal import FoundationEssentials
internal import JWTKit
package import MillraceEvent
internal import MillracePostgres

/// Verifies bearer tokens. Each key has one algorithm, and a token with another one is refused before its signature is
/// looked at; `none` fits no key.
package struct TokenVerifier: Sendable {
    /// Who sent a request.
    package struct Caller: Sendable, Equatable {
        /// `sub`, when it is a UUID.
        package var userID: UniqueID?
        /// May write for every user.
        package var isService: Bool
        /// Words of `scope` (RFC 8693), or of a list of that name.
        package var scopes: Set<String>
    }

    /// A key that can't be used. Names the setting, never the key.
    package struct KeyError: Error, CustomStringConvertible {
        package var description: String
    }

    private struct Key: Sendable {
        var keyID: String?
        var algorithm: String
        var verifier: JWTKeyCollection
    }

    private let keys: [Key]
    private let configuration: JWTConfiguration

    /// `jwks`: the text of `configuration.jwksFile`. Throws `KeyError`.
    package init(_ configuration: JWTConfiguration, jwks: String? = nil) async throws {
        self.configuration = configuration
        var keys: [Key] = []
        if !configuration.secret.isEmpty {
            keys.append(await Self.hs256(configuration.secret, keyID: nil))
        }
        for key in configuration.keys {
            do {
                keys.append(try await Self.key(key))
            } catch {
                throw KeyError(description: "key \(keys.count + 1) of the token keys can't be read: \(error)")
            }
        }
        if let jwks { keys += try await JWKSFile(jwks).keys() }
        self.keys = keys
    }

    /// True when no token can ever be believed.
    package var isEmpty: Bool { keys.isEmpty }

    /// Believes the token or throws `TokenError`.
    package func verify(_ token: String, now: Timestamp = .now) async throws -> Caller {
        let bytes = Array(token.utf8)
        guard Self.isCompact(bytes) else { throw TokenError.malformedToken }
        let header: JWTHeader
        do {
            header = try DefaultJWTParser().parse(bytes, as: TokenClaims.self).header
        } catch {
            throw TokenError.malformedToken
        }
        guard header.fields["crit"] == nil else { throw TokenError.malformedToken }
        var candidates = keys
        if let keyID = header.kid {
            let named = keys.filter { $0.keyID == keyID }
            candidates = named.isEmpty ? keys.filter { $0.keyID == nil } : named
        }
        guard !candidates.isEmpty else { throw TokenError.unknownKey }
        candidates.removeAll { $0.algorithm != header.alg }
        guard !candidates.isEmpty else { throw TokenError.wrongAlgorithm }
        for key in candidates {
            guard let claims = try? await key.verifier.verify(bytes, as: TokenClaims.self) else { continue }
            return try caller(claims, now: now)
        }
        throw TokenError.invalidSignature
    }

    /// Three parts in base64url as RFC 7515 has it: padding and the standard alphabet, which the parser would take, are not.
    private static func isCompact(_ token: [UInt8]) -> Bool {
        token.count { $0 == UInt8(ascii: ".") } == 2
            && token.allSatisfy { byte in
                switch byte {
                case UInt8(ascii: "A")...UInt8(ascii: "Z"), UInt8(ascii: "a")...UInt8(ascii: "z"),
                    UInt8(ascii: "0")...UInt8(ascii: "9"), UInt8(ascii: "-"), UInt8(ascii: "_"), UInt8(ascii: "."):
                    true
                default: false
                }
            }
    }

    private func caller(_ claims: TokenClaims, now: Timestamp) throws(TokenError) -> Caller {
        let seconds = Double(now.microseconds) / 1_000_000
        let leeway = configuration.leeway / .seconds(1)
        guard let expiry = claims.expiry else { throw .missingExpiry }
        guard seconds < expiry + leeway else { throw .expired }
        guard seconds + leeway >= claims.notBefore ?? 0 else { throw .notYetValid }
        if !configuration.issuer.isEmpty, claims.issuer != configuration.issuer { throw .wrongIssuer }
        if !configuration.audience.isEmpty, claims.audience?.values.contains(configuration.audience) != true {
            throw .wrongAudience
        }
        return Caller(
            userID: claims.subject.flatMap { UniqueID($0) },
            // No role at all is none that a token could name.
            isService: !configuration.serviceRole.isEmpty
                && claims.texts["role"] == configuration.serviceRole,
            scopes: claims.scopes)
    }

    private static func key(_ key: JWTKey) async throws -> Key {
        let verifier = JWTKeyCollection()
        switch (key.algorithm, key.material) {
        case (.hs256, .secret(let secret)): return await hs256(secret, keyID: key.id)
        case (.rs256, .publicKey(let pem)):
            await verifier.add(rsa: try Insecure.RSA.PublicKey(pem: pem), digestAlgorithm: .sha256)
        case (.es256, .publicKey(let pem)): await verifier.add(ecdsa: try ES256PublicKey(pem: pem))
        case (.hs256, .publicKey), (.rs256, .secret), (.es256, .secret):
            preconditionFailure("the configuration refuses a key that does not fit its algorithm")
        }
        return Key(keyID: key.id, algorithm: key.algorithm.rawValue, verifier: verifier)
    }

    private static func hs256(_ secret: Secret, keyID: String?) async -> Key {
        let verifier = await JWTKeyCollection().add(hmac: HMACKey(from: secret.value), digestAlgorithm: .sha256)
        return Key(keyID: keyID, algorithm: JWTKey.Algorithm.hs256.rawValue, verifier: verifier)
    }

    /// A file of public keys. Keys that Millrace has no use for (encryption, other algorithms) are left out.
    private struct JWKSFile {
        private struct Entry: Decodable {
            var kty: String
            var alg: String?
            var use: String?
            var kid: String?
            var crv: String?
            var n: String?
            var e: String?
            var x: String?
            var y: String?
            var k: String?
        }

        private struct File: Decodable {
            var keys: [Entry]
        }

        private let entries: [Entry]

        init(_ json: String) throws {
            do {
                entries = try JSONDecoder().decode(File.self, from: Data(json.utf8)).keys
            } catch {
                throw KeyError(description: "the JWKS file is no JSON Web Key Set: {\"keys\":[…]} is wanted")
            }
        }

        func keys() async throws -> [Key] {
            var keys: [Key] = []
            for (index, entry) in entries.enumerated() where entry.use == nil || entry.use == "sig" {
                do {
                    if let key = try await key(entry) { keys.append(key) }
                } catch {
                    throw KeyError(description: "key \(index + 1) of the JWKS file can't be read: \(error)")
                }
            }
            return keys
        }

        private func key(_ entry: Entry) async throws -> Key? {
            let verifier = JWTKeyCollection()
            switch (entry.kty, entry.alg ?? Self.algorithms[entry.kty]) {
            case ("RSA", "RS256"):
                let key = try Insecure.RSA.PublicKey(modulus: entry.n ?? "", exponent: entry.e ?? "")
                await verifier.add(rsa: key, digestAlgorithm: .sha256)
                return Key(keyID: entry.kid, algorithm: "RS256", verifier: verifier)
            case ("EC", "ES256") where entry.crv == "P-256":
                let key = try ES256PublicKey(parameters: (x: entry.x ?? "", y: entry.y ?? ""))
                await verifier.add(ecdsa: key)
                return Key(keyID: entry.kid, algorithm: "ES256", verifier: verifier)
            case ("oct", "HS256"):
                guard let secret = Self.base64URLDecoded(entry.k ?? ""), !secret.isEmpty else {
                    throw KeyError(description: "its k is no base64url")
                }
                await verifier.add(hmac: HMACKey(from: secret), digestAlgorithm: .sha256)
                return Key(keyID: entry.kid, algorithm: "HS256", verifier: verifier)
            default:
                return nil
            }
        }

        /// What a key without `alg` is for.
        private static let algorithms = ["RSA": "RS256", "EC": "ES256", "oct": "HS256"]

        private static func base64URLDecoded(_ text: String) -> Data? {
            var plain = text.map { $0 == "-" ? "+" : $0 == "_" ? "/" : $0 }
            while !plain.count.isMultiple(of: 4) { plain.append("=") }
            return Data(base64Encoded: String(plain))
        }
    }
}
