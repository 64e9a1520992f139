import Crypto
import Foundation
import MillraceAPI
import MillraceAccess
import MillraceEvent
import MillracePostgres
import Testing

struct TokenClaimsTests {
    private static let now = Timestamp(microseconds: 1_800_000_000_000_000)
    private static let secret = "a secret of at least thirty-two bytes"
    private static let header = #"{"alg":"HS256","typ":"JWT"}"#

    /// Signed whatever it says.
    private func token(_ claims: String, header: String = header) -> String {
        let parts = [header, claims].map { Data($0.utf8).base64URL }.joined(separator: ".")
        let key = SymmetricKey(data: Data(Self.secret.utf8))
        return parts + "." + Data(HMAC<SHA256>.authenticationCode(for: Data(parts.utf8), using: key)).base64URL
    }

    private func caller(
        of claims: String, header: String = header, _ configure: (inout JWTConfiguration) -> Void = { _ in }
    ) async throws -> TokenVerifier.Caller {
        var configuration = JWTConfiguration()
        configuration.secret = Secret(Self.secret)
        configure(&configuration)
        return try await TokenVerifier(configuration).verify(token(claims, header: header), now: Self.now)
    }

    @Test(arguments: [
        (#"{"exp":1800000060,"tenant":7}"#, "tenant", 7),
        (#"{"exp":1800000060,"tenant":"7"}"#, "tenant", 7),
        (#"{"exp":1800000060,"tenant":0}"#, "tenant", 0),
        (#"{"exp":1800000060,"tenant":2147483647}"#, "tenant", Int32.max),
        (#"{"exp":1800000060,"app_metadata":{"tenant":3}}"#, "app_metadata.tenant", 3),
        (#"{"exp":1800000060,"https://example.com/tenant":4}"#, "https://example.com/tenant", 4),
    ])
    func `the tenant is the number in the claim that is configured`(
        claims: String, claim: String, tenant: Int32
    ) async throws {
        #expect(try await caller(of: claims) { $0.tenantClaim = claim }.tenant == tenant)
    }

    @Test(arguments: [
        #"{"exp":1800000060}"#, #"{"exp":1800000060,"tenant":null}"#, #"{"exp":1800000060,"tenant":-1}"#,
        #"{"exp":1800000060,"tenant":1.5}"#, #"{"exp":1800000060,"tenant":2147483648}"#,
        #"{"exp":1800000060,"tenant":1e300}"#, #"{"exp":1800000060,"tenant":""}"#,
        #"{"exp":1800000060,"tenant":"seven"}"#, #"{"exp":1800000060,"tenant":"-1"}"#,
        #"{"exp":1800000060,"tenant":" 7"}"#, #"{"exp":1800000060,"tenant":true}"#,
        #"{"exp":1800000060,"tenant":[7]}"#, #"{"exp":1800000060,"tenant":{"tenant":7}}"#,
        #"{"exp":1800000060,"Tenant":7}"#,
    ])
    func `a token without a tenant's number is refused and never tenant 0`(claims: String) async throws {
        await #expect(throws: TokenError.missingTenant) {
            try await caller(of: claims) { $0.tenantClaim = "tenant" }
        }
    }

    @Test func `words of the scope claim are what the configuration says`() async throws {
        let claims = #"{"exp":1800000060,"scope":"millrace:read millrace:admin other","a":{"permissions":["w","r"]}}"#
        #expect(try await caller(of: claims).scopes == [.read, .admin])
        let mapped = try await caller(of: claims) {
            $0.scopeClaim = "a.permissions"
            $0.writeScope = "w"
            $0.readScope = ""
            $0.adminScope = ""
        }
        #expect(mapped.scopes == [.write])
        let decrypting = #"{"exp":1800000060,"scope":"millrace:decrypt"}"#
        #expect(try await caller(of: decrypting).scopes == [.decrypt])
        #expect(try await caller(of: decrypting) { $0.decryptScope = "" }.scopes.isEmpty)
        #expect(try await caller(of: #"{"exp":1800000060,"scope":5}"#).scopes.isEmpty)
        #expect(try await caller(of: #"{"exp":1800000060,"scope":""}"#) { $0.readScope = "" }.scopes.isEmpty)
    }

    @Test func `the subject is the claim that is configured`() async throws {
        let claims = #"{"exp":1800000060,"sub":"x","user":{"id":"\#(TestToken.user)"}}"#
        #expect(try await caller(of: claims).userID == nil)
        #expect(try await caller(of: claims) { $0.subjectClaim = "user.id" }.userID == UniqueID(TestToken.user))
    }

    @Test(arguments: [
        (#"{"exp":1,"exp":1800000060}"#, header, TokenError.malformedToken),
        (#"{"exp":1800000060,"role":"anon","role":"service_role"}"#, header, .malformedToken),
        (#"{"exp":1800000060,"role":"anon","rol\u0065":"service_role"}"#, header, .malformedToken),
        (#"{"exp":1800000060,"a":{"tenant":1,"tenant":2}}"#, header, .malformedToken),
        (#"{"exp":1800000060,"a":[{"b":1,"b":2}]}"#, header, .malformedToken),
        (#"{"exp":1800000060}"#, #"{"alg":"HS256","alg":"HS256"}"#, .malformedToken),
        (#"{"exp":1800000060}"#, #"{"alg":"HS256","crit":["b64"],"b64":false}"#, .malformedToken),
        (#"{"exp":1800000060}"#, #"{"alg":"HS256","crit":null}"#, .malformedToken),
        (#"{"exp":"1800000060"}"#, header, .malformedToken),
        (#"{"exp":1800000060,"nbf":"0"}"#, header, .malformedToken),
        (#"{"exp":true}"#, header, .malformedToken),
        (#"{"exp":1e308}"#, header, .malformedToken),
        (#"{"exp":-1800000060}"#, header, .malformedToken),
        (#"{"exp":null}"#, header, .missingExpiry),
        (#"[{"exp":1800000060}]"#, header, .malformedToken),
        (#""eyJhbGciOiJIUzI1NiJ9.eyJleHAiOjE4MDAwMDAwNjB9.x""#, #"{"alg":"HS256","cty":"JWT"}"#, .malformedToken),
        ("eyJhbGciOiJIUzI1NiJ9.eyJleHAiOjE4MDAwMDAwNjB9.x", #"{"alg":"HS256","cty":"JWT"}"#, .malformedToken),
        ("", header, .malformedToken),
        (#"{"exp":1800000060}"#, #"{"alg":"none"}"#, .wrongAlgorithm),
        (#"{"exp":1800000060}"#, #"{"alg":"hs256"}"#, .wrongAlgorithm),
        (#"{"exp":1800000060}"#, #"{"alg":["HS256"]}"#, .wrongAlgorithm),
        (#"{"exp":1800000060}"#, "{}", .wrongAlgorithm),
    ])
    func `what two readers could take for two things is refused, though its signature fits`(
        claims: String, header: String, error: TokenError
    ) async throws {
        await #expect(throws: error) { try await caller(of: claims, header: header) }
    }

    @Test func `a kid is compared and nothing else, whatever is in it`() async throws {
        for kid in ["../../etc/passwd", "'; DROP TABLE users; --", String(repeating: "k", count: 4000), "\\u0000"] {
            let header = #"{"alg":"HS256","kid":"\#(kid)"}"#
            await #expect(throws: TokenError.unknownKey) {
                try await caller(of: #"{"exp":1800000060}"#, header: header) {
                    $0.secret = Secret("")
                    $0.keys = [
                        JWTKey(id: "main", algorithm: .hs256, material: .secret(Secret(Self.secret)))
                    ]
                }
            }
        }
    }

    @Test func `a token beyond the bound is not looked at`() async throws {
        let claims = #"{"exp":1800000060,"filler":"\#(String(repeating: "x", count: 1_000_000))"}"#
        await #expect(throws: TokenError.tokenTooLong) { try await caller(of: claims) }
        #expect(try await !caller(of: claims) { $0.tokenBytesMax = 2 << 20 }.isService)
    }

    @Test func `a deep token is refused or read, and ends nothing`() async throws {
        let deep = String(repeating: "[", count: 3000) + String(repeating: "]", count: 3000)
        await #expect(throws: TokenError.malformedToken) {
            try await caller(of: #"{"exp":1800000060,"a":\#(deep)}"#) { $0.tokenBytesMax = 64 << 10 }
        }
    }
}

extension Data {
    fileprivate var base64URL: String {
        String(base64EncodedString().filter { $0 != "=" }.map { $0 == "+" ? "-" : $0 == "/" ? "_" : $0 })
    }
}
