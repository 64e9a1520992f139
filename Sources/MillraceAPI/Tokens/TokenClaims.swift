internal import JWTKit

/// The claims that Millrace looks at.
struct TokenClaims: JWTPayload {
    /// `aud`: one string or several.
    struct Audience: Codable {
        var values: [String]

        init(from decoder: any Decoder) throws {
            let container = try decoder.singleValueContainer()
            do {
                values = [try container.decode(String.self)]
            } catch {
                values = try container.decode([String].self)
            }
        }

        func encode(to encoder: any Encoder) throws {
            var container = encoder.singleValueContainer()
            try container.encode(values)
        }
    }

    private struct Name: CodingKey {
        var stringValue: String
        var intValue: Int? { nil }

        init(stringValue: String) {
            self.stringValue = stringValue
        }

        init?(intValue: Int) {
            nil
        }
    }

    var subject: String?
    var issuer: String?
    var audience: Audience?
    /// Seconds since the epoch.
    var expiry: Double?
    var notBefore: Double?
    var scopes: Set<String>
    /// The top-level claims that are strings; the role is one of them.
    var texts: [String: String]

    init(from decoder: any Decoder) throws {
        let container = try decoder.container(keyedBy: Name.self)
        subject = try container.decodeIfPresent(String.self, forKey: Name(stringValue: "sub"))
        issuer = try container.decodeIfPresent(String.self, forKey: Name(stringValue: "iss"))
        audience = try container.decodeIfPresent(Audience.self, forKey: Name(stringValue: "aud"))
        expiry = try container.decodeIfPresent(Double.self, forKey: Name(stringValue: "exp"))
        notBefore = try container.decodeIfPresent(Double.self, forKey: Name(stringValue: "nbf"))
        let scope = Name(stringValue: "scope")
        let list = try? container.decode([String].self, forKey: scope)
        let text = try? container.decode(String.self, forKey: scope)
        scopes = Set(list ?? text?.split(separator: " ").map(String.init) ?? [])
        texts = [:]
        for name in container.allKeys { texts[name.stringValue] = try? container.decode(String.self, forKey: name) }
    }

    func encode(to encoder: any Encoder) throws {
        var container = encoder.container(keyedBy: Name.self)
        for (name, text) in texts { try container.encode(text, forKey: Name(stringValue: name)) }
    }

    /// Time, issuer and audience are checked by `TokenVerifier`, which has the clock and the configuration.
    func verify(using algorithm: some JWTAlgorithm) async throws {}
}
