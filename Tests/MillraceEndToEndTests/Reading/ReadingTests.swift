import FoundationEssentials
import MillracePostgres
import MillraceTestSupport
import Testing

extension EndToEnd {
    struct ReadingTests {
        private struct Page: Decodable {
            struct Item: Decodable {
                var id: String
                var question: String?
            }

            var items: [Item]
            var next: String?
        }

        private static func page(_ path: String, _ client: HTTPClient) throws -> Page {
            let answer = try client.request("GET", path)
            #expect(answer.status == 200, "\(path): \(answer.text)")
            return try JSONDecoder().decode(Page.self, from: Data(answer.body))
        }

        @Test func `what was sent is read, each row once, while more is sent`() throws {
            let installation = try Installation()
            let daemon = installation.daemon
            try daemon.start()
            let (sender, reader) = (HTTPClient(daemon.http), HTTPClient(daemon.http))
            func send(_ range: Range<Int>) throws {
                let lines = range.map { "{\"event_type\":\"read.\($0 % 3)\",\"payload\":{\"n\":\($0)}}\n" }.joined()
                #expect(try sender.postEvents(Array(lines.utf8), query: "?ack=committed").status == 200)
            }
            try send(0..<100)
            let sent = Set(try installation.auditor.strings("SELECT id::text FROM public.analytics_events"))
            var seen: [String] = []
            var path = "/v1/events?limit=7"
            while true {
                let page = try Self.page(path, reader)
                seen += page.items.map(\.id)
                try send(1000..<1010)
                guard let next = page.next else { break }
                path = "/v1/events?limit=7&cursor=\(next)"
            }
            #expect(Set(seen).count == seen.count)
            #expect(Set(seen) == sent)
            #expect(
                try Self.page("/v1/events?type=read.1&to=\(EventFactory(seed: 1).now)&limit=1000", reader).items.count
                    >= 33)
            let refused = try sender.postEvents(
                Array(#"{"event_type":"a","user_id":"someone@example.com"}"#.utf8), type: "application/json")
            #expect(refused.status == 400 && refused.text.contains("UUID"))
            let asked = try reader.request("GET", "/v1/events?user_id=someone%40example.com")
            #expect(asked.status == 400 && asked.text.contains("UUID"))
            let wrong = try reader.request("DELETE", "/v1/events")
            #expect(wrong.status == 405 && wrong.headers["allow"] == "POST, GET, HEAD")
        }

        @Test func `a saved conversation is found in its language`() throws {
            let installation = try Installation()
            let daemon = installation.daemon
            try daemon.start()
            let user = "0192b1a4-7c3e-7a51-9f0e-2d6c1b8e4f70"
            let saves = [
                ("Comment nourrir les poulets ?", "Avec du maïs."), ("How do chickens sleep?", "On their perches."),
            ].map { question, response in
                "{\"conversation_id\":\"c\",\"question\":\"\(question)\",\"response\":\"\(response)\",\"user_id\":\"\(user)\"}\n"
            }.joined()
            let client = HTTPClient(daemon.http)
            #expect(try client.postEvents(Array(saves.utf8), query: "?ack=committed").status == 200)
            func found(_ query: String) throws -> [String?] {
                try Self.page("/v1/conversations/search?\(query)", client).items.map(\.question)
            }
            #expect(try found("q=nourri+poulet&language=fr") == ["Comment nourrir les poulets ?"])
            #expect(try found("q=sleeping+chicken&language=en") == ["How do chickens sleep?"])
            #expect(try found("q=perches&user_id=\(user)").count == 1)
            #expect(try Self.page("/v1/conversations?conversation_id=c", client).items.count == 2)
        }

        @Test func `reading wants the scope where keys are configured`() throws {
            let installation = try Installation(settings: ["jwt.secret": "\"\(BearerToken.secret)\""])
            let daemon = installation.daemon
            try daemon.start()
            func status(_ path: String, _ token: BearerToken?) throws -> Int {
                try HTTPClient(daemon.http).request("GET", path, headers: token.map { [$0.header] } ?? []).status
            }
            for path in ["/v1/events", "/v1/packs", "/v1/conversations/search?q=a"] {
                #expect(try status(path, nil) == 401)
                #expect(try status(path, BearerToken(subject: "a", scope: "profile")) == 403)
                #expect(try status(path, BearerToken(subject: "a", scope: "profile millrace:read")) == 200)
                #expect(try status(path, BearerToken(subject: "a", role: "service_role")) == 200)
            }
            #expect(try status("/openapi.json", nil) == 200)
            #expect(try status("/api/v1/stats-fast/health", nil) == 200)
        }

        @Test func `a replica is read where one is configured`() throws {
            let replica = try TestCluster.shared.database("replica")
            let connection = try replica.connect()
            try Partitions(connection: connection).ensureAhead(months: 1, from: EventFactory(seed: 1).now * 1000)
            try connection.execute(
                """
                INSERT INTO public.analytics_events (id, event_type, created_at, batch_id)
                VALUES (gen_random_uuid(), 'of.the.replica', now(), 1)
                """)
            let installation = try Installation(
                settings: ["api.read_url": DaemonSettings.quoted(replica.connectionString)])
            try installation.daemon.start()
            let client = HTTPClient(installation.daemon.http)
            #expect(
                try client.postEvents(Array("{\"event_type\":\"a\"}\n".utf8), query: "?ack=committed").status == 200)
            // It is no standby, and so never behind; it is read once it has answered.
            #expect(try eventually { try installation.daemon.metrics().count("millrace_read_replica_up") == 1 })
            let answer = try client.request("GET", "/v1/events")
            #expect(answer.text.contains("of.the.replica"))
            #expect(try Self.page("/v1/events", client).items.count == 1)
        }

        @Test func `a stop does not wait for what PostgreSQL does not answer`() throws {
            let installation = try Installation(
                settings: ["api.statement_timeout": "\"10m\"", "intake.drain_limit": "\"1s\""])
            let daemon = installation.daemon
            try daemon.start()
            let client = HTTPClient(daemon.http)
            #expect(try client.request("GET", "/v1/events").status == 200)
            let locker = try installation.database.connect()
            try locker.execute("BEGIN; LOCK TABLE public.analytics_events IN ACCESS EXCLUSIVE MODE")
            let reading = BackgroundThread { _ = try? HTTPClient(daemon.http).request("GET", "/v1/events") }
            let isWaiting = try eventually {
                try installation.auditor.integer(BlockedSessions.count(of: "millrace read")) == 1
            }
            #expect(isWaiting)
            #expect(try daemon.stop() == .status(0))
            try reading.join()
        }
    }
}
