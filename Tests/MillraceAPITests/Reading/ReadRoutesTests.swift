import MillraceAPI
import MillraceEvent
import MillracePostgres
import MillraceProjections
import MillraceTestSupport
import Testing

@Suite(.timeLimit(.minutes(10)))
struct ReadRoutesTests {
    @Test func `pages meet each event once, while others come in`() async throws {
        let fixture = try ReadFixture()
        try fixture.addEvents(230)
        try await fixture.withAPI { client in
            var seen: [String] = []
            var cursor: String?
            repeat {
                let answer = try await client.get("/v1/events?limit=60" + (cursor.map { "&cursor=\($0)" } ?? ""))
                #expect(answer.status == 200, "\(answer.body)")
                seen += answer.json.items.elements.compactMap(\.id.text)
                cursor = answer.json.next.text
                try fixture.database.connect().execute(
                    """
                    INSERT INTO public.analytics_events (id, event_type, created_at, batch_id)
                    VALUES (gen_random_uuid(), 'late', now() + interval '1 second', 2)
                    """)
            } while cursor != nil
            #expect(seen.count == 230)
            #expect(seen == seen.sorted())
            #expect(Set(seen).count == 230)
        }
    }

    @Test func `events are found by type, user, time and payload`() async throws {
        let fixture = try ReadFixture()
        try fixture.addEvents(100)
        try await fixture.withAPI { client in
            func count(_ query: String) async throws -> Int {
                let answer = try await client.get("/v1/events?limit=1000&\(query)")
                #expect(answer.status == 200, "\(answer.body)")
                return answer.json.items.elements.count
            }
            #expect(try await count("type=page.viewed") == 34)
            #expect(try await count("user_id=\(ReadFixture.users[1])") == (0..<100).count { $0 % 7 > 0 && $0 % 5 == 1 })
            #expect(try await count("payload=%7B%22n%22%3A7%7D") == 1)
            #expect(try await count("payload=%7B%22tags%22%3A%5B%22t3%22%5D%7D&type=page.viewed") == 4)
            let recent = Timestamp.now.advanced(by: .seconds(-3000)).microseconds / 1000
            #expect(try await count("from=\(recent)") == 5)
            #expect(try await count("to=\(recent)") == 95)
            let first = try await client.get("/v1/events?limit=1").json.items[0]
            #expect(first.payload.price == .number(1.5))
            #expect(first.created_at.text?.hasSuffix("Z") == true)
            #expect(first.members.count == 6)
        }
    }

    @Test(arguments: [
        ("/v1/events?typ=a", "unknown_parameter", "did you mean type?"),
        ("/v1/events?limit=0", "invalid_value", "limit"), ("/v1/events?limit=1001", "invalid_value", "limit"),
        ("/v1/events?limit=ten", "invalid_value", "limit"), ("/v1/events?type=", "invalid_value", "type"),
        ("/v1/events?user_id=someone%40example.com", "invalid_value", "e-mail"),
        ("/v1/events?user_id=1", "invalid_value", "user_id"),
        ("/v1/events?from=yesterday", "invalid_value", "from"),
        ("/v1/events?from=2026-11-21T10:00:00+02:00", "invalid_value", "%2B"),
        ("/v1/events?from=2026-11-21&to=2026-11-20", "invalid_value", "before to"),
        ("/v1/events?payload=%5B1%5D", "invalid_value", "payload"),
        ("/v1/events?payload=%7Ba%7D", "invalid_value", "payload"),
        ("/v1/events?type=a&type=b", "duplicate_parameter", "type"),
        ("/v1/events?type=%zz", "invalid_query", "percent"),
        ("/v1/events?type=%00", "invalid_query", "U+0000"), ("/v1/events?type=%ff", "invalid_query", "UTF-8"),
        ("/v1/events?cursor=abc", "invalid_cursor", "cursor"),
        ("/v1/counts/shop/orders_by_hour?bucket=year", "invalid_value", "bucket"),
        ("/v1/counts/shop/orders_by_hour?by=nothing", "invalid_value", "region"),
        ("/v1/counts/shop/orders_by_hour?by=region,region", "invalid_value", "once"),
        ("/v1/counts/shop/orders_by_hour?regio=x", "unknown_parameter", "did you mean region?"),
        ("/v1/counts/conversations/questions_by_source?bucket=hour", "invalid_value", "day"),
        ("/v1/tops/shop/buyers?bucket=2026-11-21", "no_buckets", "all time"),
        ("/v1/status-counts/shop/orders_by_status?from=2026-11-21", "no_buckets", "all time"),
        ("/v1/status-counts/shop/orders_by_status?status=LOST", "invalid_value", "status"),
        ("/v1/entities/shop/orders?status=LOST", "invalid_value", "status"),
        ("/v1/entities/shop/orders?tenant_id=1", "unknown_parameter", "tenant_id"),
        ("/v1/entities/shop/orders?%22%3B--=1", "unknown_parameter", "no parameter"),
        ("/v1/entities/shop/orders/abc", "invalid_value", "key"),
        ("/v1/entities/shop/orders/1?include=orders", "invalid_value", "notes"),
        ("/v1/conversations/search", "missing_parameter", "q"),
        ("/v1/conversations/search?q=a&language=de", "invalid_value", "fr, en, simple"),
    ])
    func `what is not understood is refused by name`(_ path: String, _ code: String, _ word: String) async throws {
        let fixture = try await SharedReadFixture.value()
        try await fixture.withAPI { client in
            let answer = try await client.get(path)
            #expect(answer.status == 400, "\(answer.body)")
            #expect(answer.json.error.code.text == code, "\(answer.body)")
            #expect(answer.json.error.message.text?.contains(word) == true, "\(answer.body)")
        }
    }

    @Test(arguments: [
        ("/v1/counts/nothing/x", "unknown_pack"), ("/v1/counts/shop/buyers", "unknown_fold"),
        ("/v1/tops/shop/orders_by_hour", "unknown_fold"), ("/v1/status-counts/shop/orders", "unknown_fold"),
        ("/v1/entities/shop/buyers", "unknown_fold"), ("/v1/entities/shop/orders/99", "not_found"),
        ("/v1/nothing", "not_found"),
    ])
    func `what is not there is named`(_ path: String, _ code: String) async throws {
        let fixture = try await SharedReadFixture.value()
        try await fixture.withAPI { client in
            let answer = try await client.get(path)
            #expect(answer.status == 404)
            #expect(answer.json.error.code.text == code, "\(answer.body)")
        }
    }

    @Test func `a cursor is good for its own question only, and unchanged`() async throws {
        let fixture = try ReadFixture()
        try fixture.addEvents(30)
        try await fixture.withAPI { client in
            let cursor = try #require(try await client.get("/v1/events?type=page.viewed&limit=2").json.next.text)
            #expect(try await client.get("/v1/events?type=page.viewed&limit=5&cursor=\(cursor)").status == 200)
            #expect(try await client.get("/v1/events?type=order.placed&limit=2&cursor=\(cursor)").status == 400)
            #expect(try await client.get("/v1/conversations?cursor=\(cursor)").status == 400)
            for index in cursor.indices {
                var changed = cursor
                changed.replaceSubrange(index...index, with: cursor[index] == "A" ? "B" : "A")
                let answer = try await client.get("/v1/events?type=page.viewed&cursor=\(changed)")
                #expect(answer.status == 400)
            }
        }
    }

    @Test func `counts are added up by time and dimensions, in pages`() async throws {
        let fixture = try ReadFixture()
        try fixture.database.connect().execute(
            """
            INSERT INTO projections.shop_orders_by_hour (region, channel, bucket, slot, n, total)
            SELECT 'r' || r, 'c' || c, date_trunc('day', now()) - d * interval '1 day' + h * interval '1 hour', s, 1, 0.25
            FROM generate_series(1, 3) AS r, generate_series(1, 2) AS c, generate_series(1, 4) AS d,
                generate_series(0, 23) AS h, generate_series(0, 1) AS s
            """)
        try await fixture.withAPI { client in
            let path = "/v1/counts/shop/orders_by_hour"
            let days = try await client.get("\(path)?bucket=day&by=region")
            #expect(days.status == 200, "\(days.body)")
            #expect(days.json.items.elements.count == 12)
            #expect(days.json.items[0].n.int == 96)
            #expect(days.json.items[0].total.text == "24.00")
            #expect(days.json.items[0].region.text == "r1")
            #expect(days.json.items[0].bucket.text?.hasSuffix("T00:00:00Z") == true)
            var paged: [JSONObject] = []
            var cursor = ""
            repeat {
                let page = try await client.get("\(path)?bucket=day&by=region&limit=5\(cursor)")
                #expect(page.status == 200, "\(page.body)")
                paged += page.json.items.elements
                cursor = page.json.next.text.map { "&cursor=\($0)" } ?? ""
            } while !cursor.isEmpty
            #expect(paged == days.json.items.elements)
            let all = try await client.get("\(path)?bucket=none&channel=c1&region=r2")
            #expect(all.json.items.elements.count == 1)
            #expect(all.json.items[0].n.int == 192)
            #expect(try await client.get("\(path)?bucket=none&region=nowhere").json.items[0].n.int == 0)
            #expect(try await client.get("\(path)?region=r1").json.items.elements.count < 48)
        }
    }

    @Test func `tops are ranked, also of one day`() async throws {
        let fixture = try ReadFixture()
        try fixture.database.connect().execute(
            """
            INSERT INTO projections.shop_buyers (user_id, n)
            SELECT ('843d440a-a7a7-45ee-96df-3568c37384b' || i)::uuid, i * 10 FROM generate_series(0, 9) AS i;
            INSERT INTO projections.shop_regions_of_day (bucket, region, n)
            SELECT date_trunc('day', now()) - d * interval '1 day', 'r' || r, d * 100 + r
            FROM generate_series(0, 3) AS d, generate_series(1, 3) AS r
            """)
        try await fixture.withAPI { client in
            let buyers = try await client.get("/v1/tops/shop/buyers?limit=3")
            #expect(buyers.json.items.elements.map(\.n.int) == [90, 80, 70], "\(buyers.body)")
            let today = try await client.get("/v1/tops/shop/regions_of_day")
            #expect(today.json.items.elements.map(\.n.int) == [3, 2, 1], "\(today.body)")
            let yesterday = Timestamp.now.advanced(by: .seconds(-86_400)).microseconds / 1000
            let before = try await client.get("/v1/tops/shop/regions_of_day?bucket=\(yesterday)")
            #expect(before.json.items.elements.map(\.n.int) == [103, 102, 101], "\(before.body)")
        }
    }

    /// As packs have them today, and as older ones: a sketch in one row, with a byte a register.
    @Test(arguments: [true, false])
    func `uniques are merged, not added`(isChunked: Bool) async throws {
        let fixture = try ReadFixture("uniques \(isChunked)")
        let connection = try fixture.database.connect()
        if isChunked {
            try connection.execute(
                """
                ALTER TABLE projections.shop_visitors
                    ADD COLUMN chunk smallint NOT NULL,
                    DROP CONSTRAINT shop_visitors_pkey,
                    ADD PRIMARY KEY (tenant_id, bucket, region, slot, chunk)
                """)
        }
        for (day, region, slot, users) in [
            (1, "a", 0, 0..<40), (1, "a", 1, 20..<60), (1, "b", 0, 50..<70), (2, "a", 0, 0..<10),
        ] {
            var sketch = HyperLogLog()
            for user in users { withUnsafeBytes(of: UInt64(user)) { sketch.insert(hash: HyperLogLog.hash($0)) } }
            for (chunk, bytes) in isChunked ? sketch.chunks : [(0, sketch.bytes)] {
                try connection.execute(
                    """
                    INSERT INTO projections.shop_visitors (bucket, region, slot, \(isChunked ? "chunk, " : "")sketch)
                    VALUES (
                        date_trunc('day', now()) - \(day) * interval '1 day', '\(region)', \(slot),
                        \(isChunked ? "\(chunk)," : "") '\\x\(WideSketch.hexadecimal(bytes))'
                    )
                    """)
            }
        }
        // Too many to be exact, today.
        let many = (0..<5000).map { user in withUnsafeBytes(of: UInt64(user)) { HyperLogLog.hash($0) } }
        var registers = HyperLogLog()
        registers.insert(many)
        for (chunk, bytes) in isChunked ? registers.chunks : [(0, WideSketch.bytes(of: many))] {
            try connection.execute(
                """
                INSERT INTO projections.shop_visitors (bucket, region, slot, \(isChunked ? "chunk, " : "")sketch)
                VALUES (
                    date_trunc('day', now()), 'c', 0, \(isChunked ? "\(chunk)," : "")
                    '\\x\(WideSketch.hexadecimal(bytes))'
                )
                """)
        }
        let estimate = registers.count
        try await fixture.withAPI { client in
            func counts(_ query: String) async throws -> [Int?] {
                let answer = try await client.get("/v1/uniques/shop/visitors\(query)")
                #expect(answer.status == 200, "\(answer.body)")
                return answer.json.items.elements.map(\.n.int)
            }
            #expect(try await counts("") == [10, 70, estimate])
            #expect(try await counts("?bucket=none") == [estimate])
            #expect(try await counts("?by=region") == [10, 60, 20, estimate])
            #expect(try await counts("?region=b&bucket=none") == [20])
            #expect(try await counts("?region=nowhere&bucket=none") == [0])
            let page = try await client.get("/v1/uniques/shop/visitors?by=region&limit=2").json
            #expect(page.items.elements.count == 2)
            let cursor = try #require(page.next.text)
            #expect(try await counts("?by=region&limit=2&cursor=\(cursor)") == [20, estimate])
        }
    }

    @Test func `entities come in pages, the most recent first, each once`() async throws {
        let fixture = try ReadFixture()
        try fixture.database.connect().execute(
            """
            INSERT INTO projections.shop_orders
                (id, user_id, status, total, created_at, tags, event_at, event_id, deleted_at)
            SELECT i, ('843d440a-a7a7-45ee-96df-3568c37384b' || i % 5)::uuid,
                CASE WHEN i % 2 = 0 THEN 'NEW'::projections.shop_status ELSE 'PAID' END, i + 0.10,
                CASE WHEN i % 10 > 0 THEN now() - (i / 3) * interval '1 hour' END, ARRAY['a', 'b' || i], now(),
                gen_random_uuid(), CASE WHEN i > 90 THEN now() END
            FROM generate_series(1, 100) AS i;
            INSERT INTO projections.shop_notes (order_id, text, event_at, event_id)
            SELECT 7, 'note ' || i, now() + i * interval '1 second', gen_random_uuid() FROM generate_series(1, 25) AS i
            """)
        try await fixture.withAPI { client in
            func all(_ query: String) async throws -> [JSONObject] {
                var items: [JSONObject] = []
                var cursor = ""
                repeat {
                    let page = try await client.get("/v1/entities/shop/orders?limit=8\(query)\(cursor)")
                    #expect(page.status == 200, "\(page.body)")
                    items += page.json.items.elements
                    cursor = page.json.next.text.map { "&cursor=\($0)" } ?? ""
                } while !cursor.isEmpty
                return items
            }
            let recent = try await all("")
            #expect(recent.count == 90)
            #expect(Set(recent.compactMap(\.id.int)).count == 90)
            let times = recent.compactMap(\.created_at.text)
            #expect(times == times.sorted(by: >))
            #expect(try await all("&order=key").compactMap(\.id.int) == Array(1...90))
            #expect(try await all("&user_id=\(ReadFixture.users[2])").count == 18)
            #expect(try await all("&status=PAID").count == 45)
            let one = try await client.get("/v1/entities/shop/orders/7?include=notes&limit=10")
            #expect(one.status == 200, "\(one.body)")
            #expect(one.json.item.tags.elements == [.string("a"), .string("b7")])
            #expect(one.json.item.total.text == "7.10")
            #expect(one.json.item.deleted_at == .null && one.json.item.members["event_id"] == nil)
            #expect(one.json.item.members["password_hash"] == nil)
            #expect(one.json.notes.elements.compactMap { $0["text"].text } == (1...10).map { "note \($0)" })
            let cursor = try #require(one.json.next.text)
            let more = try await client.get("/v1/entities/shop/orders/7?include=notes&limit=100&cursor=\(cursor)")
            #expect(
                more.json.notes.elements.compactMap { $0["text"].text } == (11...25).map { "note \($0)" },
                "\(more.body)")
            #expect(try await client.get("/v1/entities/shop/orders/95").status == 404)
            let appended = try await client.get("/v1/entities/shop/notes?order_id=7&limit=3")
            #expect(appended.json.items.elements.compactMap { $0["text"].text } == ["note 25", "note 24", "note 23"])
        }
    }

    @Test func `status counts leave out what has gone`() async throws {
        let fixture = try ReadFixture()
        let (first, second) = (ReadFixture.users[0], ReadFixture.users[1])
        try fixture.database.connect().execute(
            """
            INSERT INTO projections.shop_orders_by_status (user_id, status, slot, n, total)
            VALUES ('\(first)', 'NEW', 0, 5, 10), ('\(first)', 'NEW', 1, -5, -10), ('\(first)', 'PAID', 0, 2, 7.5),
                ('\(second)', 'PAID', 3, 4, 1)
            """)
        try await fixture.withAPI { client in
            let path = "/v1/status-counts/shop/orders_by_status"
            let user = try await client.get("\(path)?user_id=\(first)")
            #expect(user.json.items.elements.count == 1, "\(user.body)")
            #expect(user.json.items[0].status.text == "PAID")
            #expect(user.json.items[0].n.int == 2)
            let all = try await client.get("\(path)?by=status")
            #expect(all.json.items[0].n.int == 6)
            #expect(all.json.items[0].total.text == "8.5")
            #expect(try await client.get(path).json.items.elements.count == 2)
        }
    }

    @Test func `conversations are read by user and conversation, and searched in French and English`() async throws {
        let fixture = try ReadFixture()
        try fixture.addConversations(800)
        try await fixture.withAPI { client in
            let one = try await client.get("/v1/conversations?conversation_id=c3")
            #expect(one.json.items.elements.compactMap(\.question.text).count == 4, "\(one.body)")
            let mine = try await client.get("/v1/conversations?user_id=\(ReadFixture.users[1])&limit=1000")
            #expect(mine.json.items.elements.count == 160)
            let deleted = try await client.get("/v1/conversations?user_id=\(ReadFixture.users[4])&limit=1000")
            #expect(deleted.json.items.elements.count == 80)
            func found(_ query: String) async throws -> [String] {
                var ids: [String] = []
                var cursor = ""
                repeat {
                    let page = try await client.get("/v1/conversations/search?limit=150&\(query)\(cursor)")
                    #expect(page.status == 200, "\(page.body)")
                    ids += page.json.items.elements.compactMap(\.id.text)
                    cursor = page.json.next.text.map { "&cursor=\($0)" } ?? ""
                } while !cursor.isEmpty
                return ids
            }
            #expect(try await found("q=poulet&language=fr").count == 720)
            #expect(try await found("q=poulet&language=fr") == found("q=chicken&language=en"))
            #expect(try await found("q=canard").isEmpty)
            #expect(try await found("q=poulets&user_id=\(ReadFixture.users[1])").count == 160)
            #expect(try await found("q=%22mangent+412%22").count == 1)
            let ids = try await found("q=poulets")
            #expect(ids == ids.sorted())
        }
    }

    @Test func `large rows end a page early, and none is lost`() async throws {
        let fixture = try ReadFixture()
        try fixture.database.connect().execute(
            """
            INSERT INTO public.analytics_events (id, event_type, payload, created_at, batch_id)
            SELECT gen_random_uuid(), 'large', jsonb_build_object('x', repeat('y', 20000)), now() - i * interval '1 s', 1
            FROM generate_series(1, 120) AS i
            """)
        try await fixture.withAPI(change: { $1.api.pageBytes = 200_000 }) { client in
            var count = 0
            var pages = 0
            var cursor = ""
            repeat {
                let page = try await client.get("/v1/events?limit=1000\(cursor)")
                count += page.json.items.elements.count
                pages += 1
                cursor = page.json.next.text.map { "&cursor=\($0)" } ?? ""
            } while !cursor.isEmpty
            #expect(count == 120)
            #expect(pages == 12)
        }
    }
}
