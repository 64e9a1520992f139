import FoundationEssentials
import MillraceTestSupport
import Testing

extension EndToEnd {
    struct EmbeddedTests {
        @Test func `a first start in a fresh directory serves, and a stop leaves no process behind`() throws {
            let scratch = try ScratchDirectory()
            let data = scratch.path + "/data"
            let daemon = try DaemonProcess(
                databaseURL: nil, settings: ["spool.directory": "\"\""],
                arguments: ["--embedded", "--data-directory", data], scratch: scratch)
            try daemon.start(within: .seconds(120))
            try daemon.waitUntil("/readyz")

            let http = HTTPClient(daemon.http)
            let answer = try http.postEvents(
                Array(#"{"event_type":"page.viewed","payload":{"path":"/"}}"#.utf8), type: "application/json",
                query: "?ack=committed")
            #expect(answer.status == 200)
            let client = try TCPClient(daemon.tcp, acks: "committed")
            try client.send(#"{"event_type":"page.viewed","payload":{"path":"/docs"}}"#)
            try client.waitForAck(1)

            let verify = try daemon.run("verify", "--json", "--data-directory", data)
            #expect(verify.isSuccess, "\(verify.errors)")
            #expect(try verify.report(VerifyReport.self).total?.committed == 2)
            #expect(Self.processes(naming: data).count > 1)
            #expect(try daemon.stop() == .status(0))
            #expect(Self.processes(naming: data).isEmpty)

            // The second start finds everything there.
            try daemon.start()
            try daemon.waitUntil("/readyz")
            let again = try daemon.run("verify", "--json", "--data-directory", data)
            #expect(try again.report(VerifyReport.self).total?.committed == 2)
            #expect(try daemon.stop() == .status(0))
            #expect(Self.processes(naming: data).isEmpty)
        }

        /// Command lines that hold `text`.
        private static func processes(naming text: String) -> [String] {
            let pids = (try? FileManager.default.contentsOfDirectory(atPath: "/proc"))?.filter { Int($0) != nil } ?? []
            return pids.map { TextFile.read("/proc/\($0)/cmdline").replacing("\0", with: " ") }
                .filter { $0.contains(text) }
        }
    }
}
