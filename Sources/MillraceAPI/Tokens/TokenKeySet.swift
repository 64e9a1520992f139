internal import FoundationEssentials

/// A JSON Web Key Set. Keys that Millrace has no use for (encryption, other algorithms) are left out.
struct TokenKeySet: Sendable {
    /// Of a set; what is beyond is not looked at.
    static let keysMax = 100

    struct Entry: Decodable {
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

    /// The same where an entry may have any shape.
    private struct Fetched: Decodable {
        struct Element: Decodable {
            var entry: Entry?

            init(from decoder: any Decoder) throws {
                entry = try? Entry(from: decoder)
            }
        }

        var keys: [Element]
    }

    let keys: [TokenKey]

    /// Of a file of the operator's: each key must be readable. Throws `TokenVerifier.KeyError`.
    init(file json: String) async throws {
        let entries: [Entry]
        do {
            entries = try JSONDecoder().decode(File.self, from: Data(json.utf8)).keys
        } catch {
            throw TokenVerifier.KeyError(
                description: "the JWKS file is no JSON Web Key Set: {\"keys\":[…]} is wanted")
        }
        var keys: [TokenKey] = []
        for (index, entry) in entries.enumerated() {
            do {
                if let key = try await TokenKey(entry) { keys.append(key) }
            } catch {
                throw TokenVerifier.KeyError(description: "key \(index + 1) of the JWKS file can't be read: \(error)")
            }
        }
        self.keys = keys
    }

    /// Of someone else's server: what can't be read is left out, and so are secrets, for anybody can fetch them. Throws
    /// `TokenVerifier.KeyError` where nothing is left.
    init(fetched json: some Sequence<UInt8>) async throws {
        guard let set = try? JSONDecoder().decode(Fetched.self, from: Data(json)) else {
            throw TokenVerifier.KeyError(description: "it is no JSON Web Key Set: {\"keys\":[…]} is wanted")
        }
        var keys: [TokenKey] = []
        for entry in set.keys.prefix(Self.keysMax).compactMap(\.entry) where entry.kty != "oct" {
            if let key = try? await TokenKey(entry) { keys.append(key) }
        }
        guard !keys.isEmpty else {
            let known = JWTKey.Algorithm.allCases.filter { $0 != .hs256 }.map(\.rawValue).joined(separator: ", ")
            throw TokenVerifier.KeyError(description: "it holds no public key for signatures by \(known)")
        }
        self.keys = keys
    }
}
