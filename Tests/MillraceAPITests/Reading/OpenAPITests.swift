import MillraceAPI
import MillraceAccess
import MillraceIntake
import MillracePostgres
import MillraceProjections
import MillraceRoutes
import MillraceTestSupport
import Testing

@Suite(.timeLimit(.minutes(10)))
struct OpenAPITests {
    /// Of packs that are not loaded here, and those whose answers go on.
    private static let unasked = [
        "/v1/products/search", "/v1/funnels", "/v1/retention", "/v1/sessions", "/v1/paths", "/v1/tail", "/v1/live",
    ]

    @Test func `every answer is as the description has it, field for field`() async throws {
        let fixture = try filled()
        try await fixture.withAPI { client in
            let document = try await client.get("/openapi.json").json
            #expect(document.openapi.text == "3.1.0")
            #expect(document.paths["/v1/packs"].get.security.elements == [.object([:])])
            let check = SchemaCheck(document: document)
            let folds = try await client.get("/v1/packs").json.items.elements.flatMap(\.folds.elements)
            for (path, operations) in document.paths.members {
                let operation = operations.get
                guard operation != .null, !Self.unasked.contains(path) else { continue }
                for address in Self.addresses(of: path, folds) {
                    let answer = try await client.get(address + Self.query(operation))
                    #expect(answer.status == 200, "\(address): \(answer.body)")
                    let problems = check.problems(answer, of: operation)
                    #expect(problems.isEmpty, "\(address): \(problems)")
                    // Pictures take whatever is in their query.
                    let isStrict = !path.hasPrefix("/readyz") && !Self.isPicture(path)
                    if operation.responses["503"] != .null, isStrict {
                        let refused = try await client.get(address + "?nonsense=1")
                        #expect(refused.status == 400, "\(address): \(refused.body)")
                        #expect(check.problems(refused, of: operation).isEmpty, "\(address): \(refused.body)")
                    }
                }
                if path.contains("{pack}") {
                    let missing = try await client.get(path.replacing("{pack}", with: "nothing"))
                    #expect(missing.status == 404)
                    #expect(check.problems(missing, of: operation).isEmpty, "\(path): \(missing.body)")
                }
            }
        }
    }

    private static func isPicture(_ path: String) -> Bool { path.hasPrefix("/pixel/") || path == "/p.gif" }

    @Test func `answers that parameters change stay within the description`() async throws {
        let fixture = try filled()
        try await fixture.withAPI { client in
            let check = SchemaCheck(document: try await client.get("/openapi.json").json)
            for (path, query) in [
                ("/v1/events", "limit=3"), ("/v1/conversations", "limit=3&user_id=\(ReadFixture.users[1])"),
                ("/v1/conversations/search", "q=poulets&limit=2"),
                ("/v1/counts/{pack}/{fold}", "bucket=none"), ("/v1/counts/{pack}/{fold}", "bucket=day&by=region"),
                ("/v1/counts/{pack}/{fold}", "by=region,channel&limit=2"), ("/v1/uniques/{pack}/{fold}", "by=region"),
                ("/v1/uniques/{pack}/{fold}", "bucket=none"), ("/v1/tops/{pack}/{fold}", "limit=1"),
                ("/v1/status-counts/{pack}/{name}", "by=status"), ("/v1/entities/{pack}/{fold}", "order=key&limit=2"),
                ("/v1/entities/{pack}/{fold}/{key}", "include=notes&limit=1"),
                ("/v1/entities/{pack}/{fold}/{key}", "include=notes"),
                ("/v1/entities/{pack}/{fold}", "include=notes&include_limit=1&total>=1&status!=PAID&offset=0"),
                ("/v1/entities/{pack}/{fold}/{key}", "include=notes,notes"), ("/v1/events", "offset=2&event_type!=a"),
                ("/v1/conversations", "offset=1&source!=a"),
                ("/v1/conversations/search", "q=poulets&offset=1&user_id!=\(ReadFixture.users[1])"),
                ("/v1/counts/{pack}/{fold}", "by=region&region>r1&offset=1"),
                ("/v1/uniques/{pack}/{fold}", "by=region&region!=r1&offset=0"),
                ("/v1/tops/{pack}/{fold}", "region!=a&offset=0"),
                ("/v1/status-counts/{pack}/{name}", "status!=PAID&offset=0"),
                ("/debug/latency", "format=json"),
            ] {
                let address = Self.addressOfShop(path)
                let answer = try await client.get("\(address)?\(query)")
                #expect(answer.status == 200, "\(address): \(answer.body)")
                let problems = check.problems(answer, of: check.document.paths[path].get)
                #expect(problems.isEmpty, "\(address)?\(query): \(problems)")
            }
            #expect(try await client.get("/v1/entities/shop/orders/1?include=notes&limit=1").json.next.text != nil)
        }
    }

    @Test func `rows of counts hold what /v1/packs says of their fold, and nothing else`() async throws {
        let fixture = try filled()
        try await fixture.withAPI { client in
            let folds = try await client.get("/v1/packs").json.items.elements.flatMap(\.folds.elements)
            for fold in folds where fold.columns.elements.isEmpty {
                let by = fold.by.elements.compactMap(\.text)
                let isGrouped = fold.kind.text != "top" && !by.isEmpty
                let answer = try await client.get(
                    (fold.path.text ?? "") + (isGrouped ? "?by=" + by.joined(separator: ",") : ""))
                let sums = fold.kind.text == "unique" ? [] : fold.sums.elements.compactMap(\.text)
                let wanted = Set(by + sums + ["n"] + (fold.bucket == .null ? [] : ["bucket"]))
                #expect(!answer.json.items.elements.isEmpty, "\(fold.path)")
                for row in answer.json.items.elements { #expect(Set(row.members.keys) == wanted, "\(fold.path)") }
            }
        }
    }

    @Test func `what is posted is answered as described, taken or refused`() async throws {
        let fixture = try ReadFixture()
        try await fixture.withAPI(hasKeys: true) { client in
            let check = SchemaCheck(document: try await client.get("/openapi.json").json)
            let token = try await TestToken(expiry: 4_000_000_000).signed(ReadFixture.secret)
            let save = #"{"conversation_id":"c","question":"q","response":"r","user_id":"\#(TestToken.user)"}"#
            let other = save.replacing(TestToken.user, with: ReadFixture.users[0])
            for (path, headers, body, status) in [
                ("/v1/events", "", #"{"event_type":"a"}"#, 202), ("/v1/events", "", #"[{"event_type":"a"},{}]"#, 202),
                ("/v1/events", "", "[{},{}]", 400), ("/v1/events", "", "{}", 400), ("/v1/events", "", "[", 400),
                ("/v1/events?ack=never", "", "{}", 400), ("/v1/events", "Content-Type: text/html\r\n", "{}", 415),
                ("/api/v1/conversations/save", "", save, 401),
                ("/api/v1/conversations/save", "Authorization: Bearer \(token)\r\n", save, 201),
                ("/api/v1/conversations/save", "Authorization: Bearer \(token)\r\n", other, 403),
                ("/api/v1/conversations/save", "Authorization: Bearer \(token)\r\n", "{}", 400),
                (
                    "/api/v1/conversations/save",
                    "Authorization: Bearer \(token)\r\nContent-Type: text/html\r\n", save, 415
                ),
            ] {
                // Some of these end the connection.
                let client = try await APIClient(port: client.port)
                let answer = try #require(
                    try await client.ask(
                        "POST \(path) HTTP/1.1\r\nHost: localhost\r\n\(headers)Content-Length: \(body.utf8.count)\r\n\r\n\(body)"
                    ))
                #expect(answer.status == status, "\(path) \(body): \(answer.body)")
                let operation = check.document.paths[String(path.prefix { $0 != "?" })].post
                let problems = check.problems(answer, of: operation)
                #expect(problems.isEmpty, "\(path) \(body): \(problems)")
            }
            for (path, operation) in check.document.paths.members where operation.get.responses["401"] != .null {
                let refused = try await client.get(Self.addressOfShop(path))
                #expect(refused.status == 401)
                #expect(check.problems(refused, of: operation.get).isEmpty, "\(path): \(refused.body)")
                let scoped = try await client.get(Self.addressOfShop(path), token: token)
                // Some routes show such a token its own user's rows.
                let statuses = operation.get["description"] == .null ? [403] : [200, 400, 403]
                #expect(statuses.contains(scoped.status), "\(path): \(scoped.body)")
                #expect(check.problems(scoped, of: operation.get).isEmpty, "\(path): \(scoped.body)")
            }
        }
    }

    @Test func `a key of another tenant finds nothing on any route, and none or another scope opens none`() async throws
    {
        let fixture = try filled()
        var keys = TestKeys()
        let (own, other, writing) = (keys.add([.read]), keys.add([.read], tenant: 7), keys.add([.write]))
        let marks = ["843d440a-a7a7-45ee-96df-3568c37384b", "00000000-0000-7000-", "poulets", "note "]
        try await fixture.withAPI(keyRing: keys.ring) { client in
            let document = try await client.get("/openapi.json").json
            let folds = try await client.get("/v1/packs", token: own).json.items.elements.flatMap(\.folds.elements)
            var found: Set<String> = []
            for (path, operations) in document.paths.members where operations.get != .null {
                let isOpen = operations.get.security == .null
                let open = ["/livez", "/readyz", "/millrace.js", "/", "/page/{file}", "/session"]
                #expect(isOpen == open.contains(path), "\(path)")
                // That one wants an administrator. Pictures are the intake's, which has no keys here.
                guard path != "/v1/database", !Self.isPicture(path), !Self.unasked.contains(path) else {
                    continue
                }
                for address in Self.addresses(of: path, folds) {
                    let query = Self.query(operations.get)
                    let anonymous = try await client.get(address + query, host: "t")
                    #expect(anonymous.status == (isOpen ? 200 : 401), "\(address): \(anonymous.body)")
                    guard operations.get.responses["403"] != .null else { continue }
                    let scoped = try await client.get(address + query, token: writing)
                    #expect(scoped.status == 403, "\(address): \(scoped.body)")
                    let seen = try await client.get(address + query, token: own)
                    #expect(seen.status == 200, "\(address): \(seen.body)")
                    if marks.contains(where: { seen.body.contains($0) }) { found.insert(path) }
                    let answer = try await client.get(address + query, token: other)
                    #expect(answer.status == (path.hasSuffix("{key}") ? 404 : 200), "\(address): \(answer.body)")
                    #expect(!marks.contains { answer.body.contains($0) }, "\(address): \(answer.body)")
                    if path != "/v1/packs" { #expect(answer.json.items.elements.isEmpty, "\(address): \(answer.body)") }
                    let limited = address + (query.isEmpty ? "?limit=1" : query + "&limit=1")
                    if let next = try await client.get(limited, token: own).json.next.text {
                        let strange = try await client.get(limited + "&cursor=\(next)", token: other)
                        #expect(strange.json.error.code.text == "invalid_cursor", "\(address): \(strange.body)")
                    }
                }
            }
            #expect(found.count >= 6, "\(found)")
        }
    }

    /// With rows for every route.
    private func filled(_ name: String = #function) throws -> ReadFixture {
        let fixture = try ReadFixture(name)
        try fixture.addEvents(10)
        try fixture.addConversations(10)
        var sketch = HyperLogLog()
        withUnsafeBytes(of: UInt64(1)) { sketch.insert(hash: HyperLogLog.hash($0)) }
        let digits = WideSketch.hexadecimal(sketch.chunks[0].bytes)
        try fixture.database.connect().execute(
            """
            INSERT INTO projections.shop_orders (id, user_id, status, total, created_at, tags, event_at, event_id)
            VALUES (1, '\(ReadFixture.users[0])', 'NEW', 1.5, now(), ARRAY['a'], now(), gen_random_uuid());
            INSERT INTO projections.shop_notes (order_id, text, event_at, event_id)
            SELECT 1, 'note ' || i, now(), gen_random_uuid() FROM generate_series(1, 3) AS i;
            INSERT INTO projections.shop_orders_by_hour (region, channel, bucket, slot, n, total)
            SELECT 'r' || i, 'c', date_trunc('hour', now()) - interval '1 hour', 0, 1, 0.25 FROM generate_series(1, 3) AS i;
            INSERT INTO projections.shop_orders_by_status (user_id, status, slot, n, total)
            VALUES ('\(ReadFixture.users[0])', 'NEW', 0, 1, 1.5);
            INSERT INTO projections.shop_buyers (user_id, n) VALUES ('\(ReadFixture.users[0])', 1);
            INSERT INTO projections.shop_regions_of_day (bucket, region, n) VALUES (date_trunc('day', now()), 'r', 1);
            INSERT INTO projections.shop_visitors (bucket, region, slot, sketch)
            SELECT date_trunc('day', now()) - interval '1 day', 'r' || i, 0, '\\x' FROM generate_series(1, 2) AS i;
            INSERT INTO projections.conversations_top_users (user_id, n) VALUES ('\(ReadFixture.users[0])', 1);
            INSERT INTO projections.conversations_questions_by_source (source, bucket, slot, n)
            VALUES ('web', date_trunc('day', now()) - interval '1 day', 0, 1);
            INSERT INTO projections.conversations_active_users (bucket, slot, chunk, sketch)
            VALUES (date_trunc('day', now()) - interval '1 day', 0, 0, '\\x\(digits)')
            """)
        return fixture
    }

    private static func addressOfShop(_ path: String) -> String {
        let names = [
            "/v1/counts": "orders_by_hour", "/v1/uniques": "visitors", "/v1/tops": "regions_of_day",
            "/v1/status-counts": "orders_by_status", "/v1/entities": "orders",
        ]
        let name = names.first { path.hasPrefix($0.key + "/") }?.value ?? ""
        return path.replacing("{pack}", with: "shop").replacing("{fold}", with: name).replacing("{name}", with: name)
            .replacing("{key}", with: "1")
    }

    /// Each place that a path with names stands for.
    private static func addresses(of path: String, _ folds: [JSONObject]) -> [String] {
        guard let open = path.firstIndex(of: "{") else { return [path] }
        let found = folds.compactMap(\.path.text).filter { $0.hasPrefix(path[..<open]) }
        return path.hasSuffix("{key}") ? ["/v1/entities/shop/orders/1"] : found
    }

    /// What must be given, by the examples.
    private static func query(_ operation: JSONObject) -> String {
        let wanted = operation.parameters.elements.filter {
            $0.required == .bool(true) && $0["in"] == .string("query")
        }
        let pairs = wanted.compactMap { parameter in
            parameter.name.text.flatMap { name in parameter.example.text.map { "\(name)=\($0)" } }
        }
        return pairs.isEmpty ? "" : "?" + pairs.joined(separator: "&")
    }

    @Test func `each route is found by its path`() {
        for route in HTTPRoute.allCases where route != .other {
            let path = route.path.replacing(#/\{[a-z]+\}/#, with: "x")
            #expect(HTTPRoute(path: path, isReading: route.method == .get) == route)
        }
        #expect(HTTPRoute(path: "", isReading: true) == .other)
        #expect(HTTPRoute(path: "/livez/", isReading: true) == .other)
        #expect(HTTPRoute(path: "/v1/events", isReading: false) == .events)
        #expect(HTTPRoute(path: "/v1/entities/a/b/c/d", isReading: true) == .other)
        #expect(HTTPRoute(path: "/v1/counts", isReading: true) == .other)
    }
}
