import Glibc
import MillraceTestSupport
import Testing

extension EndToEnd {
    struct LogReaderTests {
        private let installation: Installation
        private let pipe: LogPipe
        private var daemon: DaemonProcess { installation.daemon }

        init() throws {
            installation = try Installation(
                "log reader",
                settings: [
                    "limits.refused_log_interval": "\"0s\"", "log.buffer_bytes": "65536",
                    "log.flush_limit": "\"200ms\"",
                ])
            pipe = try LogPipe(installation.daemon.directory + "/stderr")
            try daemon.launch(errors: pipe.path)
            try daemon.waitUntil("/readyz")
        }

        /// A log line each, of about 150 bytes: who gets no answers is told of there.
        private func refuse(_ count: Int) throws {
            let lines = Array(String(repeating: "{]\n", count: 100).utf8)
            for _ in 0..<count / 100 {
                let client = try TCPClient(daemon.tcp, acks: nil)
                try client.send(lines)
                try client.finish()
            }
        }

        private func droppedLines() throws -> Int {
            try #require(daemon.metrics().count("millrace_log_lines_dropped_total"))
        }

        private func commitAnEvent() throws {
            let client = try TCPClient(daemon.tcp, acks: "committed")
            try client.send(DoorRequest.event)
            try client.waitForAck(1)
        }

        @Test func `a log that nobody reads stops neither intake nor writers nor the stop`() throws {
            try refuse(4000)
            #expect(try droppedLines() > 0)
            try commitAnEvent()
            #expect(try HTTPClient.get("/livez", at: daemon.http).status == 200)
            #expect(try installation.auditor.integer("SELECT count(*) FROM analytics_events") == 1)
            #expect(try daemon.stop() == .status(0))
        }

        @Test func `a reader that comes back is told how many lines are missing, and gets those after`() throws {
            try refuse(4000)
            let dropped = try droppedLines()
            #expect(dropped > 0)
            #expect(pipe.read { $0.contains("log: log lines dropped count=\(dropped) hint=") })
            let before = pipe.text.count
            try refuse(100)
            #expect(pipe.read { $0.dropFirst(before).contains("lines refused") })
            #expect(try droppedLines() == dropped)
            #expect(try daemon.stop() == .status(0))
            #expect(pipe.read { $0.contains("millrace: stopped") })
        }

        @Test func `a reader that has gone is no end of the daemon`() throws {
            pipe.closeReading()
            try refuse(200)
            try commitAnEvent()
            #expect(try droppedLines() > 0)
            #expect(try daemon.stop() == .status(0))
        }
    }
}
