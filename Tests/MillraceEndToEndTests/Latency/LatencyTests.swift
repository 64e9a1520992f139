import Glibc
import MillraceTestSupport
import Testing

extension EndToEnd {
    struct LatencyTests {
        /// Of `millrace latency --format json`.
        private struct Report: Decodable {
            struct Stage: Decodable {
                var name: String
                var count: Int
            }
            var stages: [Stage]

            var counts: [String: Int] { Dictionary(uniqueKeysWithValues: stages.map { ($0.name, $0.count) }) }
        }

        /// Stages that each event passes once, and their metrics.
        private static let stages = [
            "received_to_durable": "pipeline_received_to_durable", "fsync": "spool_sync_duration",
            "durable_to_committed": "pipeline_durable_to_committed", "spool_queue": "spool_queue_duration",
            "received_to_committed": "pipeline_received_to_committed", "writer_queue": "writer_queue_duration",
            "copy": "writer_copy_duration", "projection": "writer_projection_duration",
            "commit": "writer_commit_duration",
        ]

        @Test func `every histogram counts the events that were sent, as another implementation decodes them`() throws {
            let scratch = try ScratchDirectory()
            let log = scratch.path + "/latency.log"
            let installation = try Installation(
                settings: ["latency.log": DaemonSettings.quoted(log), "latency.log_interval": "\"1s\""])
            let (daemon, auditor) = (installation.daemon, installation.auditor)
            try daemon.start()
            let tcp = try TCPClient(daemon.tcp, acks: "committed")
            try tcp.send(EventFactory(seed: 301).lines(0..<1200))
            try tcp.waitForAck(1200)
            let http = HTTPClient(daemon.http)
            for part in 0..<4 {
                let lines = EventFactory(seed: 302).lines(part * 100..<(part + 1) * 100)
                #expect(try http.postEvents(lines, query: "?ack=committed").status == 200)
            }
            let events = try auditor.rows
            #expect(events == 1600)

            let metrics = try daemon.metrics()
            for (_, metric) in Self.stages {
                #expect(metrics.count("millrace_\(metric)_seconds_count") == events, "\(metric)")
                let infinity = "millrace_\(metric)_seconds_bucket{le=\"+Inf\"}"
                #expect(metrics.count(infinity) == events, "\(metric)")
            }
            let route = "millrace_http_request_duration_seconds_count{route=\"/v1/events\"}"
            #expect(metrics.count(route) == 4)

            let report = try CommandRun.decode(Report.self, from: daemon.run("latency", "--format", "json").output)
            let path = scratch.path + "/now.hlog"
            try TextFile.write(try daemon.run("latency", "--format", "hlog").output, to: path)
            let decoded = try DecodedHistogramLog.intervals(at: path)
            for stage in Self.stages.keys {
                #expect(report.counts[stage] == events, "\(stage)")
                #expect(decoded.filter { $0.tag == stage }.map(\.count) == [events], "\(stage)")
            }
            #expect(report.counts["http:/v1/events"] == 4)
            #expect(decoded.filter { $0.tag == "http:/v1/events" }.map(\.count) == [4])

            let text = try daemon.run("latency")
            #expect(text.isSuccess, "\(text.errors)")
            #expect(text.output.contains("received_to_committed "), "\(text.output)")
            let distribution = try daemon.run("latency", "--format", "hgrm", "--stage", "received_to_durable").output
            #expect(distribution.contains("Total count    =         \(events)]"), "\(distribution)")

            #expect(try daemon.stop() == .status(0))
            var logged: [String: Int] = [:]
            for interval in try DecodedHistogramLog.intervals(at: log) {
                logged[interval.tag ?? "", default: 0] += interval.count
            }
            for stage in Self.stages.keys { #expect(logged[stage] == events, "\(stage) of latency.log") }
            #expect(logged["http:/v1/events"] == 4)
        }

        @Test func `a backlog is seen with its age, and the law holds over a restart`() throws {
            let installation = try Installation()
            let away = try DaemonProcess(databaseURL: "host=127.0.0.1 port=1 user=nobody dbname=nothing")
            try away.start()
            let lines = EventFactory(seed: 303).lines(0..<400)
            #expect(try HTTPClient(away.http).postEvents(lines).status == 202)
            let before = try away.metrics()
            #expect(before.count("millrace_spool_uncommitted_lines{kind=\"event\"}") == 350)
            #expect(before.count("millrace_spool_uncommitted_lines{kind=\"conversation\"}") == 50)
            #expect(before.count("millrace_spool_uncommitted_lines{kind=\"unread\"}") == 0)
            #expect(Self.age(before) > 0)
            try away.kill()

            // Before the database answers, nobody knows what kinds the lines are of.
            try away.start()
            let unread = try away.metrics()
            #expect(unread.count("millrace_spool_uncommitted_lines{kind=\"unread\"}") == 400)
            #expect(Self.age(unread) > Self.age(before))
            try away.kill()

            let daemon = try DaemonProcess(
                databaseURL: installation.database.connectionString,
                settings: ["spool.directory": DaemonSettings.quoted(away.directory + "/spool")])
            try daemon.start()
            try installation.auditor.waitForSettled(400)
            #expect(
                try eventually {
                    let metrics = try daemon.metrics()
                    return metrics.count("millrace_writer_lines_committed_total{kind=\"event\"}") == 350
                        && metrics.count("millrace_writer_lines_committed_total{kind=\"conversation\"}") == 50
                })
            // That is counted last of a batch; asked again, all is there.
            let after = try daemon.metrics()
            #expect(after.count("millrace_pipeline_received_to_committed_seconds_count") == 400)
            #expect(after.count("millrace_pipeline_durable_to_committed_seconds_count") == 400)
            #expect(after.count("millrace_spool_recovered_lines_total{kind=\"event\"}") == 350)
            #expect(after.count("millrace_spool_recovered_lines_total{kind=\"conversation\"}") == 50)
            for kind in ["event", "conversation", "refused", "unread"] {
                #expect(after.count("millrace_spool_uncommitted_lines{kind=\"\(kind)\"}") == 0)
            }
            #expect(Self.age(after) == 0)
            try installation.auditor.verify(daemon)
        }

        @Test func `the command reaches a daemon on a Unix socket, and says what it can't do`() throws {
            let scratch = try ScratchDirectory()
            let daemon = try DaemonProcess(
                databaseURL: "host=127.0.0.1 port=1 user=nobody dbname=nothing",
                settings: ["latency.log": "\"/dev/full\"", "latency.log_interval": "\"1s\""],
                http: .unix(scratch.path + "/http.sock"))
            let stopped = try daemon.run("latency")
            #expect(stopped.exit == .status(1))
            #expect(stopped.errors.contains("cannot connect to unix:"), "\(stopped.errors)")
            try daemon.start()
            let lines = EventFactory(seed: 304).lines(0..<10)
            #expect(try HTTPClient(daemon.http).postEvents(lines).status == 202)
            let report = try CommandRun.decode(Report.self, from: daemon.run("latency", "--format", "json").output)
            #expect(report.counts["received_to_durable"] == 10)
            #expect(report.counts["received_to_committed"] == nil)
            #expect(try daemon.run("latency", "--interval", "1s").isSuccess)
            let unknown = try daemon.run("latency", "--stage", "non sense")
            #expect(unknown.exit == .status(1))
            #expect(unknown.errors.contains("received_to_durable"), "\(unknown.errors)")
            #expect(try daemon.run("latency", "--format", "xml").exit == .status(2))
            #expect(try daemon.run("latency", "--interval", "10m").exit == .status(2))

            // The log's disk is full: it is said once, and hurts nothing.
            #expect(eventually { daemon.log.contains("latency log not written") })
            #expect(try daemon.stop() == .status(0))
            #expect(daemon.log.split(separator: "\n").count { $0.contains("latency log not written") } == 1)
        }

        @Test func `who watches an interval when the daemon stops is answered with what there is`() throws {
            let daemon = try DaemonProcess(databaseURL: "host=127.0.0.1 port=1 user=nobody dbname=nothing")
            try daemon.start()
            #expect(try HTTPClient(daemon.http).postEvents(EventFactory(seed: 305).lines(0..<10)).status == 202)
            let socket = try StreamSocket(daemon.http)
            let requests = ["/livez", "/debug/latency?seconds=300"].map {
                "GET \($0) HTTP/1.1\r\nHost: localhost\r\n\r\n"
            }
            try socket.send(Array(requests.joined().utf8))
            // Once the first is answered, the second is in hand.
            #expect(try socket.line(within: .seconds(20))?.hasPrefix("HTTP/1.1 200 ") == true)
            #expect(try daemon.stop() == .status(0))
            var said: [String] = []
            while let line = try socket.line(within: .seconds(20)) { said.append(line) }
            #expect(said.contains { $0.hasPrefix("since ") }, "\(said)")
        }

        private static func age(_ metrics: Metrics) -> Double {
            metrics.value("millrace_spool_oldest_uncommitted_seconds") ?? -1
        }
    }
}
