import FoundationEssentials
import MillraceAPI
import MillracePostgres
import MillraceTestSupport
import Testing

/// A user's own token, without the scope to read.
@Suite(.timeLimit(.minutes(10)), .onOwnThreads)
struct OwnRowsTests {
    private static let user = "843d440a-a7a7-45ee-96df-3568c37384b1"
    private static let other = "843d440a-a7a7-45ee-96df-3568c37384b2"

    private static func token(_ subject: String = user, scope: String? = nil) async throws -> String {
        try await TestToken(subject: subject, expiry: 4_000_000_000, scope: scope).signed(ReadFixture.secret)
    }

    private static func fixture(_ name: String = #function) throws -> ReadFixture {
        let fixture = try ReadFixture("own " + name)
        try fixture.addEvents(40)
        try fixture.addConversations(60)
        try fixture.database.connect().execute(
            """
            INSERT INTO projections.shop_buyers (user_id, n) VALUES ('\(user)', 3), ('\(other)', 9);
            INSERT INTO projections.shop_orders_by_status (user_id, status, slot, n, total)
            VALUES ('\(user)', 'NEW', 1, 1, 5), ('\(user)', 'PAID', 1, 2, 7), ('\(other)', 'PAID', 1, 4, 90);
            INSERT INTO projections.shop_regions_of_day (bucket, region, n) VALUES (date_trunc('day', now()), 'north', 4);
            INSERT INTO projections.shop_orders_by_hour (bucket, region, channel, slot, n)
            VALUES (date_trunc('hour', now()), 'north', 'web', 1, 4)
            """)
        return fixture
    }

    @Test func `it reads its own conversations, finds in them, and no other's`() async throws {
        let fixture = try Self.fixture()
        let token = try await Self.token()
        try await fixture.withAPI(hasKeys: true) { client in
            for path in ["/v1/conversations?limit=50", "/v1/conversations/search?q=poulets&limit=50"] {
                let own = try await client.get(path, token: token)
                #expect(own.status == 200, "\(own.body)")
                let users = own.json.items.elements.map(\.user_id.text)
                #expect(!users.isEmpty && users.allSatisfy { $0 == Self.user })
                let named = try await client.get("\(path)&user_id=\(Self.user.uppercased())", token: token)
                #expect(named.json.items == own.json.items)
                let others = try await client.get("\(path)&user_id=\(Self.other)", token: token)
                #expect(others.status == 403)
                #expect(others.json.error.code.text == "wrong_user")
            }
        }
    }

    @Test func `a cursor leads nobody to another's rows`() async throws {
        let fixture = try Self.fixture()
        let (token, others) = (try await Self.token(), try await Self.token(Self.other))
        let all = try await Self.token(scope: "millrace:read")
        try await fixture.withAPI(hasKeys: true) { client in
            let page = try await client.get("/v1/conversations?limit=2", token: token)
            let next = try #require(page.json.next.text)
            let second = try await client.get("/v1/conversations?limit=2&cursor=\(next)", token: token)
            #expect(second.status == 200 && second.json.items.elements.count == 2)
            #expect(second.json.items.elements.allSatisfy { $0.user_id.text == Self.user })
            for (path, given) in [
                ("/v1/conversations?limit=2&cursor=\(next)", others),
                (
                    "/v1/conversations?cursor="
                        + (try await client.get("/v1/conversations?limit=2", token: all).json.next.text ?? ""), token
                ),
                ("/v1/conversations?cursor=AAAAAAAAAAAAAAAA", token),
            ] {
                let answer = try await client.get(path, token: given)
                #expect(answer.status == 403, "\(path): \(answer.body)")
                #expect(answer.json.error.code.text == "wrong_user")
            }
        }
    }

    @Test func `it reads what is counted of its user, and no other counts`() async throws {
        let fixture = try Self.fixture()
        let token = try await Self.token()
        try await fixture.withAPI(hasKeys: true) { client in
            for path in ["/v1/tops/shop/buyers", "/v1/status-counts/shop/orders_by_status?by=user_id"] {
                let own = try await client.get(path, token: token)
                #expect(own.status == 200, "\(own.body)")
                #expect(own.json.items.elements.map(\.user_id.text) == [Self.user], "\(own.body)")
            }
            let byStatus = try await client.get("/v1/status-counts/shop/orders_by_status", token: token)
            let all = try await client.get(
                "/v1/status-counts/shop/orders_by_status", token: try await Self.token(scope: "millrace:read"))
            let own = all.json.items.elements.filter { $0.user_id.text == Self.user }
            #expect(byStatus.json.items.elements.map(\.n) == own.map(\.n) && !own.isEmpty)
            for path in [
                "/v1/counts/shop/orders_by_hour", "/v1/uniques/shop/visitors", "/v1/tops/shop/regions_of_day",
                "/v1/entities/shop/orders", "/v1/entities/shop/orders/1", "/v1/packs", "/v1/events",
                "/api/v1/stats-fast/dashboard",
            ] {
                let answer = try await client.get(path, token: token)
                #expect(answer.status == 403, "\(path): \(answer.body)")
                #expect(answer.json.error.code.text == "missing_scope")
            }
            let stranger = try await client.get("/v1/conversations", token: try await Self.token("a service"))
            #expect(stranger.status == 403 && stranger.json.error.code.text == "missing_scope")
        }
    }

    @Test func `every route either refuses it or shows its own rows alone`() async throws {
        let fixture = try Self.fixture()
        let token = try await Self.token()
        let all = try await Self.token(scope: "millrace:read")
        try await fixture.withAPI(hasKeys: true) { client in
            let document = try await client.get("/openapi.json").json
            let packs = try await client.get("/v1/packs", token: all).json.items.elements
            var opened: Set<String> = []
            var count = 0
            for (path, item) in document.paths.members where !item.get.security.elements.isEmpty {
                let operation = item.get
                for place in Self.places(path, packs) {
                    for query in ["", "?user_id=\(Self.user)", "?user_id=\(Self.other)", "?by=user_id", "?limit=1000"] {
                        let answer = try await client.get(place + Self.query(query, operation), token: token)
                        count += 1
                        if answer.status == 200 {
                            opened.insert(path)
                            #expect(query != "?user_id=\(Self.other)", "\(place) shows another user's rows")
                            for row in answer.json.items.elements where row.user_id.text != nil {
                                #expect(row.user_id.text == Self.user, "\(place)\(query): \(answer.body)")
                            }
                        } else {
                            #expect([400, 403, 404].contains(answer.status), "\(place)\(query): \(answer.body)")
                            #expect(answer.json.items.elements.isEmpty)
                        }
                    }
                }
            }
            #expect(count > 50)
            #expect(opened == Self.own)
        }
    }

    /// What such a token can read from.
    private static let own: Set<String> = [
        "/v1/conversations", "/v1/conversations/search", "/v1/tops/{pack}/{fold}",
        "/v1/status-counts/{pack}/{name}",
    ]

    /// The path with every pack, fold and key that there may be.
    private static func places(_ path: String, _ packs: [JSONObject]) -> [String] {
        guard path.contains("{") else { return [path] }
        return packs.flatMap { pack -> [String] in
            let name = pack.pack.text ?? ""
            return (pack.folds.elements.compactMap(\.name.text) + ["none"]).map { fold in
                path.replacing("{pack}", with: name).replacing("{fold}", with: fold).replacing("{name}", with: fold)
                    .replacing("{key}", with: "1").replacing("{id}", with: "1")
            }
        }
    }

    private static func query(_ query: String, _ operation: JSONObject) -> String {
        let needsWords = operation.parameters.elements.contains { $0.name.text == "q" }
        guard needsWords else { return query }
        return query.isEmpty ? "?q=poulets" : query + "&q=poulets"
    }
}
