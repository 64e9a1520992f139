import MillraceAPI
import MillraceTestSupport
import Testing

@Suite(.timeLimit(.minutes(10)))
struct ReadAccessTests {
    private func token(scope: String? = nil, role: String? = nil) async throws -> String {
        try await TestToken(expiry: 4_000_000_000, role: role, scope: scope).signed(ReadFixture.secret)
    }

    @Test func `with keys a token with the scope reads, or one of the service role`() async throws {
        let fixture = try await SharedReadFixture.value()
        try await fixture.withAPI(hasKeys: true) { client in
            for path in ["/v1/events", "/v1/packs", "/api/v1/stats-fast/dashboard"] {
                let anonymous = try await client.get(path)
                #expect(anonymous.status == 401)
                #expect(anonymous.headers["www-authenticate"] == #"Bearer realm="millrace""#)
                #expect(try await client.get(path, token: "x.y.z").status == 401)
                let plain = try await client.get(path, token: token(scope: "openid profile"))
                #expect(plain.status == 403)
                #expect(plain.json.error.code.text == "missing_scope")
                #expect(plain.headers["www-authenticate"]?.contains(#"error="insufficient_scope""#) == true)
                #expect(try await client.get(path, token: token(scope: "openid millrace:read")).status == 200)
                #expect(try await client.get(path, token: token(role: "service_role")).status == 200)
            }
            #expect(try await client.get("/api/v1/stats-fast/health").status == 200)
            #expect(try await client.get("/openapi.json").status == 200)
        }
    }

    @Test func `without keys this machine reads by its own name only`() async throws {
        let fixture = try await SharedReadFixture.value()
        try await fixture.withAPI { client in
            for host in ["localhost", "localhost:8080", "127.0.0.1:8080", "[::1]:8080"] {
                #expect(try await client.get("/v1/packs", host: host).status == 200)
            }
            for host in ["millrace.example.com", "127.0.0.1.example.com", "10.0.0.1:8080"] {
                let answer = try await client.get("/v1/packs", host: host)
                #expect(answer.status == 403)
                #expect(answer.json.error.code.text == "no_keys")
            }
        }
    }
}
