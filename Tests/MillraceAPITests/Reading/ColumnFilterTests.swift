import MillraceAPI
import MillraceEvent
import MillracePostgres
import MillraceTestSupport
import Testing

@Suite(.timeLimit(.minutes(10)), .onOwnThreads)
struct ColumnFilterTests {
    /// Orders 1 … 60: of five users, every third PAID and every tenth without a total.
    private static func orders(_ name: String = #function) throws -> ReadFixture {
        let fixture = try ReadFixture(name)
        try fixture.database.connect().execute(
            """
            INSERT INTO projections.shop_orders
                (id, user_id, status, total, created_at, tags, password_hash, event_at, event_id)
            SELECT i, ('843d440a-a7a7-45ee-96df-3568c37384b' || i % 5)::uuid,
                CASE WHEN i % 3 = 0 THEN 'PAID'::projections.shop_status ELSE 'NEW' END,
                CASE WHEN i % 10 > 0 THEN i + 0.10 END,
                timestamptz '2026-11-01T00:00:00Z' + i * interval '1 hour', ARRAY['a', 'b' || i], 'hash ' || i, now(),
                gen_random_uuid()
            FROM generate_series(1, 60) AS i;
            INSERT INTO projections.shop_notes (order_id, text, event_at, event_id)
            SELECT i, 'note ' || i, timestamptz '2026-11-01T00:00:00Z' + i * interval '1 hour', gen_random_uuid()
            FROM generate_series(1, 60) AS i
            """)
        return fixture
    }

    @Test(arguments: [
        ("total>=58", [58, 59]), ("total%3E=58", [58, 59]), ("total%3E%3D58", [58, 59]), ("total>58.10", [59]),
        ("total%3E58.10", [59]), ("total<3&total!=1.1", [2]), ("total<=2.1", [1, 2]), ("total%3C%3D2.1", [1, 2]),
        ("id>57&status!=PAID", [58, 59]), ("id>55&status!=PAID&id!=58&id!=59", [56]),
        // Rows without a value differ from each.
        ("total!=1.1&id<=10&id>=9", [9, 10]), ("total=7.10", [7]),
        ("created_at>=2026-11-03T10:00:00Z", [58, 59, 60]),
        ("created_at>=2026-11-03T12:00:00%2B02:00", [58, 59, 60]), ("created_at<2026-11-01T03:00:00Z", [1, 2]),
        ("created_at>1793703600000", [60]), ("created_at<-infinity", []), ("created_at<infinity&id=4", [4]),
        ("from=2026-11-03T10:00:00Z", [58, 59, 60]), ("to=2026-11-01T03:00:00Z", [1, 2]),
        ("from=2026-11-01T02:00:00Z&to=2026-11-01T03:00:00Z", [2]),
        ("status>NEW&id>56", [57, 60]), ("user_id!=843d440a-a7a7-45ee-96df-3568c37384b1&id>55&id<58", [57]),
        ("status=PAID&total>50&user_id=843d440a-a7a7-45ee-96df-3568c37384b1", [51]),
        ("tags=%7Ba,b7%7D", [7]), ("id=60", [60]),
    ])
    func `entities are told by any shown column, however the signs are encoded`(_ query: String, _ ids: [Int])
        async throws
    {
        let fixture = try SharedOrders.value()
        try await fixture.withAPI { client in
            for order in ["recent", "key"] {
                let answer = try await client.get("/v1/entities/shop/orders?order=\(order)&\(query)")
                #expect(answer.status == 200, "\(query): \(answer.body)")
                #expect(answer.json.items.elements.compactMap(\.id.int).sorted() == ids, "\(query)")
            }
        }
    }

    @Test(arguments: [
        ("/v1/entities/shop/orders?password_hash=a", "unknown_parameter", "user_id"),
        ("/v1/entities/shop/orders?password_hash%3E=a", "unknown_parameter", "no parameter"),
        ("/v1/entities/shop/orders?event_id=a", "unknown_parameter", "no parameter"),
        ("/v1/entities/shop/orders?total>=much", "invalid_value", "total is not a value of type numeric"),
        ("/v1/entities/shop/orders?id!=7.5", "invalid_value", "id is not a value of type bigint"),
        ("/v1/entities/shop/orders?status<LOST", "invalid_value", "status"),
        ("/v1/entities/shop/orders?created_at>=yesterday", "invalid_value", "created_at must be a time"),
        ("/v1/entities/shop/orders?from=2026-11-21&to=2026-11-20", "invalid_value", "before to"),
        ("/v1/entities/shop/orders?limit>=5", "invalid_value", "limit must be given by ="),
        ("/v1/entities/shop/orders?status!NEW", "unknown_parameter", "did you mean status?"),
        ("/v1/entities/shop/orders?total>=1&total>=2", "duplicate_parameter", "total"),
        ("/v1/entities/shop/orders?offset=10001", "invalid_value", "api.offset_max"),
        ("/v1/entities/shop/orders?offset=-1", "invalid_value", "offset"),
        ("/v1/entities/shop/orders/1?id>=1", "unknown_parameter", "no parameter"),
        ("/v1/events?payload!=%7B%7D", "invalid_value", "payload must be given by ="),
        ("/v1/events?user_id!=someone", "invalid_value", "user_id is not a value of type uuid"),
        ("/v1/events?sourc=web", "unknown_parameter", "no parameter"),
        ("/v1/conversations?status=deleted", "unknown_parameter", "no parameter"),
        ("/v1/counts/shop/orders_by_hour?n>=1", "unknown_parameter", "no parameter"),
        ("/v1/tops/shop/buyers?user_id=1", "invalid_value", "user_id"),
        ("/v1/packs?pack!=shop", "unknown_parameter", "did you mean after?"),
    ])
    func `a filter that can't be is refused by name`(_ path: String, _ code: String, _ word: String) async throws {
        let fixture = try SharedOrders.value()
        try await fixture.withAPI { client in
            let answer = try await client.get(path)
            #expect(answer.status == 400, "\(answer.body)")
            #expect(answer.json.error.code.text == code, "\(answer.body)")
            #expect(answer.json.error.message.text?.contains(word) == true, "\(answer.body)")
        }
    }

    @Test func `offset leaves items out on every route that lists, and a cursor goes on from there`() async throws {
        let fixture = try Self.orders()
        try fixture.addEvents(200)
        try fixture.addConversations(900)
        try fixture.database.connect().execute(
            """
            INSERT INTO projections.shop_orders_by_hour (region, channel, bucket, slot, n, total)
            SELECT 'r' || lpad(r::text, 2, '0'), 'c', date_trunc('hour', now()) - interval '1 hour', 0, r, 0.25
            FROM generate_series(1, 30) AS r;
            INSERT INTO projections.shop_orders_by_status (user_id, status, slot, n, total)
            SELECT ('843d440a-a7a7-45ee-96df-3568c37384' || lpad(i::text, 2, '0'))::uuid, 'NEW', 0, i, 0
            FROM generate_series(1, 30) AS i;
            INSERT INTO projections.shop_buyers (user_id, n)
            SELECT ('843d440a-a7a7-45ee-96df-3568c37384' || lpad(i::text, 2, '0'))::uuid, i
            FROM generate_series(1, 30) AS i;
            INSERT INTO projections.shop_visitors (bucket, region, slot, sketch)
            SELECT date_trunc('day', now()), 'r' || lpad(i::text, 2, '0'), 0, '\\x' FROM generate_series(1, 30) AS i
            """)
        try await fixture.withAPI { client in
            for (path, hasCursor) in [
                ("/v1/events?event_type!=nothing", true), ("/v1/entities/shop/orders?order=recent", true),
                ("/v1/entities/shop/orders?order=key", true), ("/v1/entities/shop/notes?order=recent", true),
                ("/v1/conversations?from=2020-01-01", true), ("/v1/conversations/search?q=mangent", true),
                ("/v1/counts/shop/orders_by_hour?by=region", true), ("/v1/uniques/shop/visitors?by=region", true),
                ("/v1/status-counts/shop/orders_by_status?by=user_id", true),
                ("/v1/tops/shop/buyers?user_id!=\(ReadFixture.users[0])", false),
            ] {
                let whole = try await client.get("\(path)&limit=1000")
                #expect(whole.status == 200, "\(path): \(whole.body)")
                let all = whole.json.items.elements
                #expect(all.count >= 30, "\(path): \(all.count)")
                for offset in [0, 1, 7, all.count - 1, all.count, all.count + 5] {
                    let page = try await client.get("\(path)&limit=5&offset=\(offset)")
                    #expect(page.status == 200, "\(path) \(offset): \(page.body)")
                    #expect(page.json.items.elements == Array(all.dropFirst(offset).prefix(5)), "\(path) \(offset)")
                    guard hasCursor, offset + 5 < all.count else { continue }
                    let cursor = try #require(page.json.next.text, "\(path) \(offset)")
                    let both = try await client.get("\(path)&limit=5&offset=1&cursor=\(cursor)")
                    #expect(both.status == 400 && both.body.contains("offset must be left out with cursor"))
                    let next = try await client.get("\(path)&limit=5&cursor=\(cursor)")
                    #expect(next.json.items.elements == Array(all.dropFirst(offset + 5).prefix(5)), "\(path) \(offset)")
                }
            }
        }
    }

    @Test func `an offset beyond the setting is refused, and 0 leaves cursors only`() async throws {
        let fixture = try SharedOrders.value()
        try await fixture.withAPI(change: { $1.api.offsetMax = 0 }) { client in
            #expect(try await client.get("/v1/entities/shop/orders?offset=0").status == 200)
            let refused = try await client.get("/v1/entities/shop/orders?offset=1")
            #expect(refused.status == 400 && refused.body.contains("at most 0 (api.offset_max)"), "\(refused.body)")
        }
    }

    @Test func `events and conversations are told by their columns, counts by their dimensions`() async throws {
        let fixture = try Self.orders()
        try fixture.addEvents(100)
        try fixture.addConversations(40)
        try fixture.database.connect().execute(
            """
            INSERT INTO projections.shop_orders_by_hour (region, channel, bucket, slot, n, total)
            SELECT 'r' || r, 'c', date_trunc('hour', now()) - interval '1 hour', 0, r, 0.25
            FROM generate_series(1, 4) AS r;
            INSERT INTO projections.shop_orders_by_status (user_id, status, slot, n, total)
            VALUES ('\(ReadFixture.users[0])', 'NEW', 0, 5, 10), ('\(ReadFixture.users[1])', 'PAID', 0, 2, 7.5)
            """)
        try await fixture.withAPI { client in
            func items(_ path: String) async throws -> [JSONObject] {
                let answer = try await client.get(path)
                #expect(answer.status == 200, "\(path): \(answer.body)")
                return answer.json.items.elements
            }
            let others = try await items("/v1/events?limit=1000&event_type!=page.viewed")
            #expect(others.count == 66)
            #expect(try await items("/v1/events?limit=1000&event_type>=order&event_type<page").count == 33)
            // Those of nobody, too.
            #expect(
                try await items("/v1/events?limit=1000&user_id!=\(ReadFixture.users[1])").count
                    == (0..<100).count { $0 % 7 == 0 || $0 % 5 != 1 })
            let id = "00000000-0000-7000-8000-000000000007"
            #expect(try await items("/v1/events?id=\(id)").count == 1)
            let hour = Timestamp.now.advanced(by: .seconds(-3000)).rfc3339
            #expect(try await items("/v1/events?limit=1000&created_at>\(hour)").count == 5)
            #expect(try await items("/v1/conversations?limit=1000&source!=test").isEmpty)
            #expect(try await items("/v1/conversations?limit=1000&conversation_id>c8").count == 3)
            #expect(try await items("/v1/conversations/search?q=mangent&conversation_id!=c1").count == 20)
            #expect(try await items("/v1/counts/shop/orders_by_hour?bucket=none&region!=r4")[0].n.int == 6)
            #expect(try await items("/v1/counts/shop/orders_by_hour?by=region&region>r2").count == 2)
            #expect(try await items("/v1/status-counts/shop/orders_by_status?status!=PAID")[0].n.int == 5)
            #expect(try await items("/v1/status-counts/shop/orders_by_status?status!=PAID")[0].status.text == "NEW")
        }
    }

    @Test func `no route tells of a password column`() async throws {
        let fixture = try SharedOrders.value()
        try await fixture.withAPI { client in
            for path in [
                "/v1/packs", "/openapi.json", "/v1/entities/shop/orders?limit=1000", "/v1/entities/shop/orders/7",
                "/v1/entities/shop/orders?order=password_hash", "/v1/entities/shop/orders/7?include=password_hash",
                "/v1/counts/shop/orders_by_hour?by=secret", "/v1/entities/shop/orders?nothing=1",
            ] {
                let answer = try await client.get(path)
                let asked = path.split(separator: "=").last.map(String.init) ?? ""
                let body = answer.body.replacing(asked, with: "")
                #expect(!body.contains("password") && !body.contains("hash 7"), "\(path): \(body)")
            }
        }
    }

    @Test func `an event does not tell of a password either, nor is it found by one`() async throws {
        let fixture = try ReadFixture()
        try fixture.database.connect().execute(
            """
            INSERT INTO public.analytics_events (id, event_type, payload, created_at, batch_id)
            VALUES
                (gen_random_uuid(), 'u', '{"id": 1, "password_hash": "pbkdf2", "password": "x"}', now(), 1),
                (gen_random_uuid(), 'u', '{"password": "x"}', now() - interval '1 s', 1),
                (gen_random_uuid(), 'u', '[{"password": "x"}]', now() - interval '2 s', 1),
                (gen_random_uuid(), 'u', '"password"', now() - interval '3 s', 1)
            """)
        try await fixture.withAPI { client in
            let all = try await client.get("/v1/events")
            #expect(all.json.items.elements.count == 4)
            #expect(all.json.items[0].payload.members == ["id": .number(1)], "\(all.body)")
            #expect(all.json.items[1].payload.members.isEmpty)
            #expect(try await client.get("/v1/events?payload=%7B%22id%22%3A1%7D").json.items.elements.count == 1)
            for member in ["%22password%22%3A%22x%22", "%22%5Cu0070assword_hash%22%3A%22pbkdf2%22"] {
                let found = try await client.get("/v1/events?payload=%7B\(member)%7D")
                #expect(found.status == 200 && found.json.items.elements.isEmpty, "\(found.body)")
            }
        }
    }

    @Test func `values are parameters, whatever they hold`() async throws {
        let fixture = try SharedOrders.value()
        try await fixture.withAPI { client in
            for value in ["'", "'; DROP TABLE x; --", "\\", "$1", "%", "_", "NULL", "\u{1F600}"] {
                let text = value.utf8.map { "%" + ($0 < 16 ? "0" : "") + String($0, radix: 16) }.joined()
                for sign in ["=", "!=", ">=", "<", ">"] {
                    let answer = try await client.get("/v1/entities/shop/notes?text\(sign)\(text)")
                    #expect(answer.status == 200, "\(sign)\(value): \(answer.body)")
                }
                let number = try await client.get("/v1/entities/shop/notes?order_id>=\(text)")
                #expect(number.status == 400, "\(value): \(number.body)")
            }
        }
    }

    /// For the tests that change nothing.
    private enum SharedOrders {
        private static let shared = Result { try ColumnFilterTests.orders("filtered orders") }

        static func value() throws -> ReadFixture { try shared.get() }
    }
}
