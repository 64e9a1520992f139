internal import JWTKit
package import MillraceAccess
package import MillraceEvent
internal import MillraceJSON
internal import MillracePostgres

/// Verifies bearer tokens. Each key has one algorithm, and a token with another one is refused before its signature is
/// looked at; `none` fits no key.
package struct TokenVerifier: Sendable {
    /// Who sent a request.
    package struct Caller: Sendable, Equatable {
        /// The subject, when it is a UUID.
        package var userID: UniqueID?
        /// May read and write for every user.
        package var isService: Bool
        /// What the words of its scope let it do.
        package var scopes: Set<AccessScope>
        /// Whose rows it reads and writes.
        package var tenant: Int32
        /// When the token ends, the leeway included.
        package var expiresAt: Timestamp
    }

    /// A key that can't be used. Names the setting, never the key.
    package struct KeyError: Error, CustomStringConvertible {
        package var description: String

        package init(description: String) {
            self.description = description
        }
    }

    private let keys: [TokenKey]
    private let remote: RemoteTokenKeys?
    private let configuration: JWTConfiguration

    /// - Parameters:
    ///   - jwks: the text of `configuration.jwksFile`.
    ///   - remote: the keys of `configuration.jwksURL`.
    /// - Throws: `KeyError`.
    package init(_ configuration: JWTConfiguration, jwks: String? = nil, remote: RemoteTokenKeys? = nil) async throws {
        self.configuration = configuration
        self.remote = remote
        var keys: [TokenKey] = []
        if !configuration.secret.isEmpty {
            keys.append(await TokenKey(hmac: HMACKey(from: configuration.secret.value), keyID: nil))
        }
        for (index, key) in configuration.keys.enumerated() {
            do {
                keys.append(try await TokenKey(key))
            } catch {
                throw KeyError(description: "key \(index + 1) of the token keys can't be read: \(error)")
            }
        }
        if let jwks { keys += try await TokenKeySet(file: jwks).keys }
        self.keys = keys
    }

    /// True when no token can ever be believed.
    package var isEmpty: Bool { keys.isEmpty && remote == nil }

    /// Keys in force.
    package var keyCount: Int { keys.count + (remote?.keys.count ?? 0) }

    /// Believes the token or throws `TokenError`. May wait for a fetch of `jwt.jwks_url`, no longer than `jwt.jwks_timeout`.
    package func verify(_ token: String, now: Timestamp = .now) async throws -> Caller {
        guard token.utf8.count <= configuration.tokenBytesMax else { throw TokenError.tokenTooLong }
        let bytes = Array(token.utf8)
        guard Self.isCompact(bytes) else { throw TokenError.malformedToken }
        let header: JWTHeader
        do {
            header = try DefaultJWTParser().parse(bytes, as: TokenClaims.self).header
        } catch {
            throw TokenError.malformedToken
        }
        let parts = bytes.split(separator: UInt8(ascii: "."), omittingEmptySubsequences: false)
        guard header.fields["crit"] == nil, !Self.hasRepeatedNames(parts[0]) else { throw TokenError.malformedToken }
        var candidates = await keys(for: header.kid)
        guard !candidates.isEmpty else { throw TokenError.unknownKey }
        candidates.removeAll { $0.algorithm.rawValue != header.alg }
        guard !candidates.isEmpty else { throw TokenError.wrongAlgorithm }
        for key in candidates {
            guard let claims = try? await key.verifier.verify(bytes, as: TokenClaims.self) else { continue }
            guard !Self.hasRepeatedNames(parts[1]) else { throw TokenError.malformedToken }
            return try caller(claims, now: now)
        }
        throw TokenError.invalidSignature
    }

    /// Those of this `kid`; of a token without, or where none has it, those without.
    private func keys(for keyID: String?) async -> [TokenKey] {
        let known = keys + (remote?.keys ?? [])
        guard let keyID else { return known }
        let named = known.filter { $0.keyID == keyID }
        if !named.isEmpty { return named }
        let nameless = known.filter { $0.keyID == nil }
        guard nameless.isEmpty, let remote else { return nameless }
        return await remote.keysAfterFetch().filter { $0.keyID == keyID }
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

    private static func hasRepeatedNames(_ part: ArraySlice<UInt8>) -> Bool {
        guard let json = Base64URL.decoded(String(decoding: part, as: UTF8.self)) else { return true }
        return JSONScanner.hasRepeatedNames(Array(json)[...])
    }

    private func caller(_ claims: TokenClaims, now: Timestamp) throws(TokenError) -> Caller {
        let seconds = Double(now.microseconds) / 1_000_000
        let leeway = configuration.leeway / .seconds(1)
        guard let expiry = try claims.seconds("exp") else { throw .missingExpiry }
        guard seconds < expiry + leeway else { throw .expired }
        guard try seconds + leeway >= claims.seconds("nbf") ?? 0 else { throw .notYetValid }
        if !configuration.issuer.isEmpty, claims["iss"]?.text != configuration.issuer { throw .wrongIssuer }
        if !configuration.audience.isEmpty, !Self.audience(claims).contains(configuration.audience) {
            throw .wrongAudience
        }
        return Caller(
            userID: claims[configuration.subjectClaim]?.text.flatMap { UniqueID($0) },
            // No role at all is none that a token could name.
            isService: !configuration.serviceRole.isEmpty && claims["role"]?.text == configuration.serviceRole,
            scopes: scopes(claims), tenant: try tenant(claims),
            expiresAt: Timestamp(microseconds: Int64((expiry + leeway) * 1_000_000)))
    }

    /// One string, which may hold blanks, or several.
    private static func audience(_ claims: TokenClaims) -> Set<String> {
        guard let claim = claims["aud"] else { return [] }
        return claim.text.map { [$0] } ?? claim.words
    }

    private func scopes(_ claims: TokenClaims) -> Set<AccessScope> {
        let words = claims[configuration.scopeClaim]?.words ?? []
        let names: [(String, AccessScope)] = [
            (configuration.readScope, .read), (configuration.writeScope, .write), (configuration.adminScope, .admin),
            (configuration.decryptScope, .decrypt),
        ]
        return Set(names.filter { !$0.0.isEmpty && words.contains($0.0) }.map(\.1))
    }

    private func tenant(_ claims: TokenClaims) throws(TokenError) -> Int32 {
        guard !configuration.tenantClaim.isEmpty else { return 0 }
        guard let tenant = claims[configuration.tenantClaim]?.tenant else { throw .missingTenant }
        return tenant
    }
}
