import MillracePostgres
import MillraceTestSupport
import Testing

extension EndToEnd {
    struct ReportTests {
        private struct Partitions: Decodable {
            struct Entry: Decodable {
                var table: String
                var name: String
                var state: String
            }
            var partitions: [Entry]
        }
        private struct Made: Decodable {
            var made: [String]
        }
        /// Any JSON document.
        private struct Anything: Decodable {
            init(from decoder: any Decoder) {}
        }

        @Test func `partitions are made ahead and listed`() throws {
            let daemon = try Installation().daemon
            let missing = try daemon.run("partitions", "list", "--json").report(Partitions.self).partitions
            #expect(missing.count == 8 && missing.allSatisfy { $0.state == "missing" })
            // This month and two more, of both tables.
            let made = try daemon.run("partitions", "ensure", "--months", "2", "--json").report(Made.self).made
            #expect(made.count == 6)
            #expect(try daemon.run("partitions", "ensure", "--months", "2", "--json").report(Made.self).made.isEmpty)
            let listed = try daemon.run("partitions", "list", "--json").report(Partitions.self).partitions
            #expect(listed.count { $0.state == "attached" } == 6)
            #expect(listed.count { $0.state == "missing" } == 2)
            #expect(listed.contains { $0.name.hasPrefix("analytics_events_y2") })
            #expect(try daemon.run("partitions", "list").output.contains("conversations_y2"))
        }

        @Test func `status and verify report as text and as JSON`() throws {
            let installation = try Installation()
            let daemon = installation.daemon
            try daemon.start()
            try daemon.waitUntil("/readyz")
            let events = EventFactory(seed: 61).lines(0..<80)
            #expect(try HTTPClient(daemon.http).postEvents(events, query: "?ack=committed").status == 200)
            #expect(try HTTPClient(daemon.http).postEvents(events, query: "?ack=committed").json.duplicates == 80)

            for command in ["status", "verify"] {
                let text = try daemon.run(command)
                #expect(text.isSuccess, "\(text.errors)")
                #expect(text.output.contains(command == "status" ? "ready at" : "80"), "\(text.output)")
                let json = try daemon.run(command, "--json")
                #expect(json.isSuccess)
                #expect(throws: Never.self) { try json.report(Anything.self) }
            }
            let report = try installation.auditor.verify(daemon)
            #expect(report.total?.received == 160)
            #expect(report.total?.committed == 80)
            #expect(report.total?.duplicate == 80)
            #expect(report.conservation.first { $0.kind == "conversation" }?.committed == 10)
        }

        @Test func `a report without a database fails with status 1 and the next step`() throws {
            let daemon = try DaemonProcess(databaseURL: "host=127.0.0.1 port=1 user=nobody dbname=nothing")
            for command in [["verify"], ["partitions", "list"], ["migrate", "status"], ["dead-letters", "list"]] {
                let run = try daemon.run(command)
                #expect(run.exit == .status(1), "\(command)")
                #expect(run.errors.contains("millrace: "), "\(command): \(run.errors)")
            }
        }

        @Test func `verify finds a row that was deleted, and one that was written twice`() throws {
            let installation = try Installation()
            let daemon = installation.daemon
            try daemon.start()
            let events = EventFactory(seed: 62).lines(0..<40)
            #expect(try HTTPClient(daemon.http).postEvents(events, query: "?ack=committed").status == 200)
            let connection = try installation.database.connect()
            let victim = "(SELECT (created_at, id)::text FROM public.analytics_events ORDER BY id LIMIT 1)"
            try connection.execute(
                """
                CREATE TEMPORARY TABLE kept AS SELECT * FROM public.analytics_events WHERE (created_at, id)::text = \(victim);
                DELETE FROM public.analytics_events WHERE (created_at, id)::text = \(victim)
                """)
            #expect(try daemon.run("verify").exit == .status(1))
            try connection.execute("INSERT INTO public.analytics_events SELECT * FROM kept")
            try installation.auditor.verify(daemon)
            try connection.execute(
                """
                UPDATE kept SET id = gen_random_uuid();
                INSERT INTO public.analytics_events SELECT * FROM kept
                """)
            #expect(try daemon.run("verify").exit == .status(1))
        }
    }
}
