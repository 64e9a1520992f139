import MillraceAPI
import MillraceAccess
import MillraceEvent
import MillracePostgres
import MillraceTestSupport
import Testing

/// The routes where keys are wanted.
@Suite(.timeLimit(.minutes(5)), .onOwnThreads)
struct KeyAccessTests {
    private static let reading = [
        "/v1/events", "/v1/packs", "/v1/conversations", "/v1/entities/shop/orders", "/api/v1/stats-fast/dashboard",
    ]
    private static let operations = ["/metrics", "/debug/latency", "/openapi.json", "/api/v1/stats-fast/health"]

    @Test func `a key that reads opens what is read, and no other does`() async throws {
        let fixture = try await SharedReadFixture.value()
        var keys = TestKeys()
        let (read, write, admin) = (keys.add([.read]), keys.add([.write]), keys.add([.admin]))
        try await fixture.withAPI(keyRing: keys.ring) { client in
            for path in Self.reading {
                for key in [read, admin] {
                    let answer = try await client.get(path, token: key)
                    #expect(answer.status == 200, "\(path): \(answer.body)")
                }
                let answer = try await client.get(path, token: write)
                #expect(answer.status == 403 && answer.json.error.code.text == "forbidden", "\(path): \(answer.body)")
                let head = try await client.get(path, method: "HEAD", token: write)
                #expect(head.status == 403, "\(path)")
            }
        }
    }

    @Test func `no key, a wrong, a revoked and an expired one are answered alike`() async throws {
        let fixture = try await SharedReadFixture.value()
        var keys = TestKeys()
        let revoked = keys.add([.read])
        keys.revokeAll()
        let (_, unknown) = AccessKey.make(scopes: [.read])
        try await fixture.withAPI(keyRing: keys.ring) { client in
            for path in Self.reading + Self.operations {
                let anonymous = try await client.get(path, host: "t")
                #expect(anonymous.status == 401 && anonymous.json.error.code.text == "unauthenticated", "\(path)")
                #expect(anonymous.headers["www-authenticate"] == #"Bearer realm="millrace""#)
                for key in [revoked, unknown, "x", "x.y.z", "mr_r_"] {
                    let answer = try await client.get(path, host: "t", token: key)
                    #expect(answer.status == anonymous.status && answer.body == anonymous.body, "\(path)")
                }
            }
            #expect(try await client.get("/livez", host: "t").status == 200)
            #expect(try await client.get("/readyz", host: "t").status == 200)
        }
    }

    @Test func `operations take any key, and none from this machine`() async throws {
        let fixture = try await SharedReadFixture.value()
        var keys = TestKeys()
        let write = keys.add([.write])
        try await fixture.withAPI(keyRing: keys.ring) { client in
            for path in Self.operations {
                let local = try await client.get(path)
                let keyed = try await client.get(path, host: "t", token: write)
                #expect(local.status == 200 && keyed.status == 200, "\(path)")
            }
        }
    }

    @Test func `a key reads the rows of its tenant, and a cursor leads to no other's`() async throws {
        let fixture = try ReadFixture("keys of tenants")
        try fixture.addEvents(10)
        let connection = try fixture.database.connect()
        try connection.execute("UPDATE public.analytics_events SET tenant_id = 7 WHERE (payload->>'n')::int < 5")
        var keys = TestKeys()
        let (zero, seven) = (keys.add([.read]), keys.add([.read], tenant: 7))
        try await fixture.withAPI(keyRing: keys.ring) { client in
            for (key, numbers) in [(zero, [5, 6, 7, 8, 9]), (seven, [0, 1, 2, 3, 4])] {
                let answer = try await client.get("/v1/events", token: key)
                #expect(answer.json.items.elements.compactMap(\.payload.n.int) == numbers, "\(answer.body)")
            }
            let cursor = try #require(try await client.get("/v1/events?limit=2", token: zero).json.next.text)
            #expect(try await client.get("/v1/events?limit=2&cursor=\(cursor)", token: zero).status == 200)
            let other = try await client.get("/v1/events?limit=2&cursor=\(cursor)", token: seven)
            #expect(other.status == 400 && other.json.error.code.text == "invalid_cursor", "\(other.body)")
        }
    }

    @Test func `a key that writes saves conversations of any user, for its tenant`() async throws {
        let fixture = try await SharedReadFixture.value()
        var keys = TestKeys()
        let (read, write) = (keys.add([.read], tenant: 7), keys.add([.write], tenant: 7))
        let save =
            #"{"conversation_id":"c","question":"q","response":"r","user_id":"\#(TestToken.user)","#
            + #""timestamp":"2026-11-01T10:00:00Z"}"#
        let post = { (key: String) in
            "POST /api/v1/conversations/save HTTP/1.1\r\nHost: t\r\nAuthorization: Bearer \(key)\r\n"
                + "Content-Length: \(save.utf8.count)\r\n\r\n\(save)"
        }
        try await fixture.withAPI(keyRing: keys.ring) { client in
            let saved = try await client.ask(post(write))
            #expect(saved?.status == 201, "\(saved?.body ?? "")")
            let parsed = try EventParser().parseConversation(
                Array(save.utf8), limits: EventLimits(), receivedAt: .now)
            #expect(saved?.json.id.text == "\(parsed.id(tenant: 7))")
            let refused = try await APIClient(port: client.port).ask(post(read))
            #expect(refused?.status == 403)
        }
    }

    @Test func `a pool's session shows each request its own tenant`() async throws {
        let fixture = try await SharedReadFixture.value()
        var settings = ReadPoolConfiguration(
            databaseURL: fixture.database.connectionString, connectTimeout: .seconds(5), drainLimit: .seconds(5))
        settings.api.connectionsMax = 1
        let pool = ReadPool(settings, logger: RunningAPI.quiet)
        for tenant: Int32? in [7, 7, 8, nil, 7, nil, 0] {
            let shown = try await pool.read(of: tenant) {
                try $0.execute("SELECT current_setting('millrace.tenant', true)").string(0, 0)
            }
            #expect(shown ?? "" == tenant.map { "\($0)" } ?? "")
        }
        await pool.stop()
    }
}
