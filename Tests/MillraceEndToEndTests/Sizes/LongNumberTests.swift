import FoundationEssentials
import MillracePostgres
import MillraceTestSupport
import Testing

extension EndToEnd {
    /// Size that is not in the bytes: numbers that grow when they are printed.
    struct LongNumberTests {
        private static let memoryBytesMax = 256 << 20

        private static func expectSmall(_ daemon: DaemonProcess, sourceLocation: SourceLocation = #_sourceLocation)
            throws
        {
            #expect(
                try daemon.process.memoryBytes("VmHWM") < memoryBytesMax, "the daemon's memory",
                sourceLocation: sourceLocation)
            #expect(try HTTPClient.get("/livez", at: daemon.http).status == 200, sourceLocation: sourceLocation)
        }

        @Test func `an event that would print as a gigabyte is refused by every door, with the setting's name`() throws
        {
            let installation = try Installation()
            let (daemon, auditor) = (installation.daemon, installation.auditor)
            try daemon.start()
            let lines = [
                LongNumbers.feedback(LongNumbers.array(8300)), LongNumbers.event(LongNumbers.array(1000)),
                #"{"conversation_id":"c","question":"q","response":"r","user_id":"843d440a-a7a7-45ee-96df-3568c37384b9","#
                    + #""metadata":{"v":\#(LongNumbers.array(1000))}}"#,
            ]
            let client = try TCPClient(daemon.tcp, acks: "committed")
            for line in lines { try client.send(line) }
            try client.waitForAck(lines.count)
            for number in 1...lines.count {
                #expect(client.refusals[number]?.code == "payload_too_large")
                #expect(client.refusals[number]?.message.contains("limits.payload_text_bytes") == true)
            }
            for line in lines {
                let answer = try HTTPClient(daemon.http).postEvents(Array(line.utf8), type: "application/json")
                #expect(answer.status == 400)
                #expect(try answer.json.error?.code == "payload_too_large")
            }
            let scratch = try ScratchDirectory()
            let file = scratch.path + "/events.ndjson"
            try TextFile.write(lines.joined(separator: "\n") + "\n", to: file)
            let imported = try daemon.run("import", file, "--quiet")
            #expect(imported.exit == .status(1))
            #expect((imported.output + imported.errors).contains("payload_too_large"))
            #expect(try auditor.rows == 0)
            try Self.expectSmall(daemon)
        }

        @Test func `below the limit an event is stored, and what a fold would print too long is parked`() throws {
            let installation = try Installation()
            let (daemon, auditor) = (installation.daemon, installation.auditor)
            try daemon.start()
            let doubles = LongNumbers.array(1000, of: "-4.9406564584124654e-324")
            let lines = [
                LongNumbers.feedback(LongNumbers.array(30), number: 1),
                LongNumbers.feedback(LongNumbers.longest, number: 2), LongNumbers.feedback(doubles, number: 3),
                LongNumbers.feedback("1e399", number: 4), LongNumbers.feedback("1e400", number: 5),
                #"{"event_type":"conversations.feedback_given","payload":{"id":1e131071}}"#,
            ]
            let answer = try HTTPClient(daemon.http).postEvents(
                Array((lines.joined(separator: "\n") + "\n").utf8), query: "?ack=committed")
            #expect(answer.status == 200, "\(answer.text)")
            #expect(try auditor.events == lines.count)
            #expect(
                try auditor.strings("SELECT concat_ws(' ', fold, code, message) FROM projections.parked ORDER BY 1")
                    == [String](
                        repeating:
                            "feedback long_numbers comment (payload.comment) has a number of more than 400 digits",
                        count: 3)
                    + ["feedback long_numbers id (payload.id) has a number of more than 400 digits"])
            #expect(
                try auditor.strings("SELECT length(comment)::text FROM projections.conversations_feedback ORDER BY id")
                    == ["\(1000 * 345)", "400"])
            let verified = try daemon.run("projections", "verify", "conversations", "--quiet")
            #expect(verified.isSuccess, "\(verified.output) \(verified.errors)")
            #expect(try daemon.run("projections", "rebuild", "conversations", "--quiet").isSuccess)
            #expect(try auditor.integer("SELECT count(*) FROM projections.parked WHERE code = 'long_numbers'") == 4)
            #expect(try HTTPClient.get("/v1/events", at: daemon.http).status == 200)
            try Self.expectSmall(daemon)
        }

        @Test func `a spool of an older version with such a line: it is a dead letter, the others go in`() throws {
            let cluster = try TestCluster(isDurable: false)
            let installation = try Installation(cluster: cluster)
            let (daemon, auditor) = (installation.daemon, installation.auditor)
            try daemon.start()
            try daemon.waitUntil("/readyz")
            try cluster.stopImmediately()
            // Their places are taken by as many bytes of text, until the spool is edited.
            let long = LongNumbers.feedback(LongNumbers.array(8300))
            let lines = [LongNumbers.event("1", type: "before"), long, LongNumbers.event("2", type: "past")]
            let text = lines.map { line in
                line == long ? LongNumbers.feedback("\"" + String(repeating: "x", count: 9 * 8300 - 1) + "\"") : line
            }
            let answer = try HTTPClient(daemon.http).postEvents(Array((text.joined(separator: "\n") + "\n").utf8))
            #expect(answer.status == 202, "\(answer.text)")
            try daemon.kill()
            try SpoolFiles(of: daemon).replaceRecords { $0 == text ? lines : nil }
            try cluster.start()
            try daemon.start()
            try auditor.waitForSettled(3)
            #expect(
                try auditor.strings("SELECT event_type FROM public.analytics_events ORDER BY 1") == [
                    "before", "past",
                ])
            #expect(
                try auditor.strings("SELECT code || ' ' || octet_length(line) FROM public.dead_letters")
                    == ["payload_too_large \(long.utf8.count)"])
            try auditor.verify(daemon)
            let retried = try daemon.run("dead-letters", "retry", "--all", "--quiet")
            #expect(retried.exit == .status(1))
            #expect(
                try auditor.strings("SELECT message FROM public.dead_letters").allSatisfy {
                    $0.contains("limits.payload_text_bytes")
                })
            try Self.expectSmall(daemon)
        }

        @Test func `a row that another program wrote costs its own page an error, and nothing else`() throws {
            let installation = try Installation()
            let (daemon, auditor) = (installation.daemon, installation.auditor)
            try daemon.start()
            let good = (0..<5).map { LongNumbers.event("\($0)", type: "good") }.joined(separator: "\n") + "\n"
            #expect(try HTTPClient(daemon.http).postEvents(Array(good.utf8), query: "?ack=committed").status == 200)
            // In the middle of the others' times; of a type that the pack conversations reads.
            let row = "00000000-0000-4000-8000-00000000000a"
            try installation.database.connect().execute(
                """
                INSERT INTO public.analytics_events (id, tenant_id, event_type, payload, created_at, received_at, batch_id)
                SELECT
                    '\(row)', 0, 'conversations.feedback_given',
                    jsonb_build_object(
                        'id', '\(row)', 'comment', (SELECT jsonb_agg(1e131071) FROM generate_series(1, 8300))),
                    created_at, received_at, batch_id
                FROM public.analytics_events
                ORDER BY created_at DESC, id DESC
                LIMIT 1 OFFSET 2
                """)
            let client = HTTPClient(daemon.http)
            var seen: [String] = []
            var path = "/v1/events?limit=2"
            var problems: [HTTPResponse.Body.Problem] = []
            while true {
                let answer = try client.request("GET", path)
                let page = try EventPage(answer)
                if let problem = page.error {
                    #expect(answer.status == 500)
                    problems.append(problem)
                }
                seen += (page.items ?? []).map(\.id)
                guard let next = page.next else { break }
                path = "/v1/events?limit=2&cursor=\(next)"
            }
            #expect(problems.map(\.code) == ["row_too_large"])
            #expect(problems.first?.message.contains(row) == true, "\(problems)")
            #expect(
                try Set(seen)
                    == Set(auditor.strings("SELECT id::text FROM public.analytics_events WHERE event_type = 'good'")))
            #expect(seen.count == 5)
            try Self.expectSmall(daemon)

            let scratch = try ScratchDirectory()
            let exported = try CommandRun(
                [
                    "export", "--from", "2000-01-01", "--to", "2100-01-01", "--output", scratch.path + "/all.ndjson",
                    "--no-compress", "--quiet", "--config", daemon.configuration,
                ], in: scratch)
            #expect(exported.exit == .status(1))
            #expect(exported.output.contains(row), "\(exported.output) \(exported.errors)")
            #expect(TextFile.read(scratch.path + "/all.ndjson").split(separator: "\n").count == 5)

            let verified = try daemon.run("projections", "verify", "conversations", "--quiet")
            #expect(verified.exit == .status(1))
            #expect(
                verified.output.contains("too large to read") && verified.output.contains(row), "\(verified.output)")
            #expect(
                try daemon.run("projections", "verify", "analytics", "--quiet").output.contains("too large") == false)

            #expect(try daemon.run("projections", "rebuild", "conversations", "--quiet").isSuccess)
            #expect(
                try auditor.strings("SELECT fold || ' ' || code || ' ' || event_id FROM projections.parked")
                    == ["feedback row_too_large \(row)"])
        }

        @Test func `a row of the outbox that would print too large leaves it as a dead letter`() throws {
            let installation = try Installation(settings: ["outbox.poll": "\"10ms\""])
            let auditor = installation.auditor
            try installation.database.connect().execute(
                """
                INSERT INTO outbox (event_type, payload)
                SELECT 'app.long', jsonb_build_object('v', jsonb_agg(1e131071))
                FROM generate_series(1, 8300);
                INSERT INTO outbox (event_type, payload) VALUES ('app.good', '{"v":1e9}')
                """)
            try installation.daemon.start()
            #expect(try eventually { try auditor.integer("SELECT count(*) FROM public.outbox") == 0 })
            #expect(try auditor.strings("SELECT event_type FROM public.analytics_events") == ["app.good"])
            #expect(try auditor.strings("SELECT code FROM public.dead_letters") == ["payload_too_large"])
            try Self.expectSmall(installation.daemon)
        }

        @Test func `rows that make more in the projections than memory is for are written in smaller batches`() throws {
            let cluster = try TestCluster(isDurable: false)
            let installation = try Installation(cluster: cluster, settings: ["partitions.payload_index": "\"none\""])
            let (daemon, auditor) = (installation.daemon, installation.auditor)
            try daemon.start()
            try daemon.waitUntil("/readyz")
            try cluster.stopImmediately()
            // 3.6 KB each that become 241 KB: 7 MB that become 480.
            let comment = LongNumbers.array(600, of: "1e399")
            let client = try TCPClient(daemon.tcp, acks: "spooled")
            let count = 2000
            for number in 1...count { try client.send(LongNumbers.feedback(comment, number: number)) }
            try client.waitForAck(count)
            try cluster.start()
            try auditor.waitForSettled(count, within: .seconds(120))
            #expect(try auditor.events == count)
            #expect(
                try auditor.integer(
                    "SELECT count(*) FROM projections.conversations_feedback WHERE length(comment) = \(600 * 402)")
                    == count)
            #expect(try auditor.integer("SELECT count(*) FROM ingest_batches WHERE rows > 1000") == 0)
            try auditor.verify(daemon)
            try Self.expectSmall(daemon)
        }
    }
}

/// A page of `GET /v1/events`, or why there is none.
private struct EventPage: Decodable {
    struct Item: Decodable {
        var id: String
    }

    var items: [Item]?
    var next: String?
    var error: HTTPResponse.Body.Problem?

    init(_ response: HTTPResponse) throws {
        self = try JSONDecoder().decode(Self.self, from: Data(response.body))
    }
}
