import MillraceTestSupport
import Testing

extension EndToEnd {
    struct MetricsTests {
        @Test func `the metrics say what the tables say, and promtool has nothing to say`() throws {
            let installation = try Installation()
            let daemon = installation.daemon
            try daemon.start()
            let events = EventFactory(seed: 91)
            let http = HTTPClient(daemon.http)
            #expect(try http.postEvents(events.lines(0..<80), query: "?ack=committed").status == 200)
            #expect(try http.postEvents(events.lines(0..<80), query: "?ack=committed").status == 200)
            let client = try TCPClient(daemon.tcp, acks: nil)
            try client.send("{]")
            try client.finish()
            try installation.auditor.waitForSettled(161)
            #expect(try HTTPClient.get("/v1/events", at: daemon.http).status == 200)

            let text = try HTTPClient.get("/metrics", at: daemon.http).text
            #expect(Self.sum("millrace_writer_lines_committed_total", in: text) == 80)
            #expect(Self.sum("millrace_writer_lines_duplicate_total", in: text) == 80)
            #expect(Self.sum("millrace_writer_lines_refused_total", in: text) == 1)
            #expect(Self.sum("millrace_writer_lines_dead_total", in: text) == 0)
            #expect(Self.sum("millrace_spool_appended_lines_total", in: text) == 161)
            #expect(Self.sum("millrace_postgresql_up", in: text) == 1)
            #expect(Self.sum("millrace_read_query_duration_seconds_count", in: text) == 1)
            #expect(Self.sum("millrace_read_connections_idle", in: text) == 1)

            let scratch = try ScratchDirectory()
            try TextFile.write(text, to: scratch.path + "/metrics")
            let promtool = try SpawnedProcess(
                "/usr/bin/env", ["promtool", "check", "metrics"], mark: "promtool", input: scratch.path + "/metrics",
                output: scratch.path + "/out", errors: scratch.path + "/out")
            let exit = try promtool.waitForExit(within: .seconds(30))
            #expect(exit == .status(0), "promtool (package prometheus): \(TextFile.read(scratch.path + "/out"))")
        }

        /// Over all labels.
        private static func sum(_ name: String, in text: String) -> Int {
            text.split(separator: "\n").filter { $0.hasPrefix(name + "{") || $0.hasPrefix(name + " ") }
                .compactMap { $0.split(separator: " ").last.flatMap { Double($0) } }
                .reduce(0) { $0 + Int($1) }
        }
    }
}
