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

            let metrics = try daemon.metrics()
            #expect(metrics.count("millrace_writer_lines_committed_total") == 80)
            #expect(metrics.count("millrace_writer_lines_duplicate_total") == 80)
            #expect(metrics.count("millrace_writer_lines_refused_total") == 1)
            #expect(metrics.count("millrace_writer_lines_dead_total") ?? 0 == 0)
            #expect(metrics.count("millrace_spool_appended_lines_total") == 161)
            #expect(metrics.count("millrace_postgresql_up") == 1)
            #expect(metrics.count("millrace_read_query_duration_seconds_count") == 1)
            #expect(metrics.count("millrace_read_connections_idle") == 1)

            let scratch = try ScratchDirectory()
            try TextFile.write(metrics.text, to: scratch.path + "/metrics")
            let promtool = try SpawnedProcess(
                "/usr/bin/env", ["promtool", "check", "metrics"], mark: "promtool", input: scratch.path + "/metrics",
                output: scratch.path + "/out", errors: scratch.path + "/out")
            let exit = try promtool.waitForExit(within: .seconds(30))
            #expect(exit == .status(0), "promtool (package prometheus): \(TextFile.read(scratch.path + "/out"))")
        }
    }
}
