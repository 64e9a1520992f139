import FoundationEssentials
import MillraceTestSupport
import Testing

extension EndToEnd {
    struct ExportTests {
        private struct Report: Decodable {
            var events: Int
            var conversations: Int
            var inactiveConversations: Int
            var total: Int
            var bytes: Int
            var writtenBytes: Int
        }

        /// Both tables without what every arrival has of its own.
        private func state(_ installation: Installation) throws -> [String] {
            try installation.auditor.strings(
                """
                SELECT format('%s %s %s %s %s %s', id, tenant_id, event_type, user_id, payload, created_at)
                FROM public.analytics_events ORDER BY created_at, id
                """)
                + installation.auditor.strings(
                    """
                    SELECT format('%s %s %s %s %s %s %s %s %s %s', id, tenant_id, conversation_id, user_id, question, response,
                        source, metadata, status, created_at)
                    FROM public.conversations ORDER BY created_at, id
                    """)
        }

        /// Lines whose values are easily changed on the way.
        private func hardLines(now: String) -> String {
            let user = "843d440a-a7a7-45ee-96df-3568c37384b9"
            let many = (0..<20_000).map { _ in "1e9" }.joined(separator: ",")
            return """
                {"event_type":"hard.numbers","payload":{"a":1e131071,"b":-1e-16383,"c":1.50,"d":0.00,"e":123456789012345678901234567890,"f":0e0,"g":100}}
                {"event_type":"hard.many","payload":{"many":[\(many)],"pad":"\(String(repeating: "p", count: 150_000))"}}
                {"event_type":"hard \\"text\\" \\\\ é 𝄞","user_id":"\(user)","payload":{"":"\\u0001\\n\\t\\"\\\\\\/\\u00e9\\ud834\\udd1e\\u007f","a b":[[],{},null,true]},"created_at":"\(now).123457Z"}
                {"event_type":"hard.time","created_at":"\(now).000001Z"}
                {"conversation_id":"c \\" \\\\ é","user_id":"\(user)","question":"q\\u0001\\r\\n\\"","response":"","timestamp":"\(now).999999Z","metadata":{"password":"kept","n":1.0}}
                {"conversation_id":"c","user_id":"\(user)","question":"q","response":"r","source":"","timestamp":"\(now).000001Z"}
                {"conversation_id":"c","user_id":"\(user)","question":"q","response":"r","timestamp":"\(now).000002Z"}

                """
        }

        @Test func `what was exported makes the same rows in an empty database, by import and by send`() throws {
            let source = try Installation("export-source")
            try source.daemon.start()
            let scratch = try ScratchDirectory()
            let now = try #require(
                try source.auditor.strings(
                    "SELECT to_char(now() AT TIME ZONE 'UTC' - interval '1 hour', 'YYYY-MM-DD\"T\"HH24:MI:SS')"
                ).first)
            let input = scratch.path + "/input.ndjson"
            try TextFile.write(Array(hardLines(now: now).utf8) + EventFactory(seed: 91).lines(0..<3000), to: input)
            let sent = try source.daemon.run("send", input, "--ack", "committed", "--quiet")
            #expect(sent.isSuccess, "\(sent.output) \(sent.errors)")
            let whole = try state(source)
            #expect(whole.count == 3007)

            let file = scratch.path + "/out.ndjson.zst"
            let range = ["--from", "2000-01-01", "--to", "2100-01-01"]
            let exported = try CommandRun(
                ["export"] + range + ["--output", file, "--json", "--config", source.daemon.configuration], in: scratch)
            #expect(exported.isSuccess, "\(exported.errors)")
            let report = try exported.report(Report.self)
            #expect(report.total == 3007)
            #expect(report.events == (try source.auditor.events))
            #expect(report.inactiveConversations == 0)
            #expect(TextFile.bytes(file).count == report.writtenBytes)
            #expect(report.writtenBytes < report.bytes)

            for command in ["import", "send"] {
                let target = try Installation("export-target-\(command)")
                try target.daemon.start()
                for _ in 1...2 {
                    let run = try target.daemon.run(command, file, "--ack", "committed", "--quiet")
                    #expect(run.isSuccess, "\(run.output) \(run.errors)")
                    #expect(try state(target) == whole)
                }
                try target.auditor.verify(target.daemon)
            }
        }

        @Test func `an export has the rows of its time, in order, and conversations that are active`() throws {
            let installation = try Installation()
            let daemon = installation.daemon
            try daemon.start()
            let scratch = try ScratchDirectory()
            let day = try #require(
                try installation.auditor.strings(
                    "SELECT to_char(now() AT TIME ZONE 'UTC' - interval '3 days', 'YYYY-MM-DD')"
                ).first)
            let user = "843d440a-a7a7-45ee-96df-3568c37384b9"
            let input = scratch.path + "/input.ndjson"
            try TextFile.write(
                """
                {"event_type":"d","created_at":"\(day)T12:00:00Z"}
                {"event_type":"c","created_at":"\(day)T11:59:59.999999Z"}
                {"event_type":"b","created_at":"\(day)T11:00:00Z"}
                {"event_type":"a","created_at":"\(day)T10:59:59.999999Z"}
                {"conversation_id":"x","user_id":"\(user)","question":"1","response":"r","timestamp":"\(day)T11:30:00Z"}
                {"conversation_id":"x","user_id":"\(user)","question":"2","response":"r","timestamp":"\(day)T11:31:00Z"}
                """, to: input)
            #expect(try daemon.run("send", input, "--ack", "committed", "--quiet").isSuccess)
            let saved = try #require(
                try installation.auditor.strings("SELECT id::text FROM public.conversations WHERE question = '2'").first
            )
            let deletion = scratch.path + "/deletion.ndjson"
            try TextFile.write(
                """
                {"event_type":"conversations.save_deleted","payload":{"conversation_id":"x","id":"\(saved)"}}
                """, to: deletion)
            #expect(try daemon.run("send", deletion, "--ack", "committed", "--quiet").isSuccess)
            let range = ["--from", "\(day)T11:00:00Z", "--to", "\(day)T12:00:00Z", "--quiet"]
            let plain = try CommandRun(
                ["export"] + range + ["--output", "-", "--no-compress", "--config", daemon.configuration], in: scratch)
            #expect(plain.isSuccess, "\(plain.errors)")
            let lines = plain.output.split(separator: "\n")
            #expect(lines.count == 3)
            #expect(lines.first?.contains("\"event_type\":\"b\"") == true)
            #expect(lines.dropFirst().first?.contains("T11:59:59.999999Z") == true)
            #expect(lines.last?.contains("\"question\":\"1\"") == true)

            let events = try CommandRun(
                ["export"] + range + [
                    "--table", "events", "--output", "-", "--no-compress", "--config", daemon.configuration,
                ],
                in: scratch)
            #expect(events.output.split(separator: "\n").count == 2)

            let file = scratch.path + "/day.ndjson"
            let toFile = ["export"] + range + ["--no-compress", "--output", file, "--config", daemon.configuration]
            let first = try CommandRun(toFile + ["--json"], in: scratch)
            #expect(try first.report(Report.self).inactiveConversations == 1)
            #expect(TextFile.read(file) == plain.output)
            #expect(try CommandRun(toFile, in: scratch).exit == .status(1))
            #expect(try CommandRun(toFile + ["--force"], in: scratch).isSuccess)
            #expect(
                try FileManager.default.contentsOfDirectory(atPath: scratch.path).allSatisfy { !$0.contains(".tmp-") })
        }

        @Test(arguments: [
            ["--from", "today", "--to", "2026-01-01"], ["--from", "2026-02-01", "--to", "2026-01-01"],
            ["--from", "2026-01-01"],
            ["--from", "2026-01-01", "--to", "2026-02-01", "--table", "users"],
        ])
        func `wrong use is status 2`(arguments: [String]) throws {
            #expect(try CommandRun(["export"] + arguments, in: ScratchDirectory()).exit == .status(2))
        }
    }
}
