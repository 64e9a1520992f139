import Glibc
import MillraceTestSupport
import Testing

extension EndToEnd {
    /// The page at `/` in headless Chromium, by `Tests/Browser/page.py`. `MILLRACE_PICTURES` names a folder that keeps what it
    /// looked like.
    struct PageBrowserTests {
        /// Runs a scene to its end; does what it asks for meanwhile.
        private func play(
            _ scene: String, on daemon: DaemonProcess, _ arguments: [String] = [],
            asked: [String: () throws -> Void] = [:]
        ) throws {
            guard case .port(let port) = daemon.http else { throw TestSupportError(message: "a port is wanted") }
            let scratch = try ScratchDirectory()
            let kept = Environment.string("MILLRACE_PICTURES")
            let directory = kept ?? scratch.path
            let log = scratch.path + "/out"
            let run = try SpawnedProcess(
                Python.path,
                [
                    "-B", "\(Repository.root)/Tests/Browser/page.py", scene, "http://127.0.0.1:\(port)/", directory,
                ] + arguments, mark: "page.py", output: log, errors: log)
            var left = asked
            let isOver = try eventually(within: .seconds(180)) {
                for (name, act) in left where access("\(directory)/\(name)", F_OK) == 0 {
                    left[name] = nil
                    unlink("\(directory)/\(name)")
                    try act()
                    try TextFile.write("", to: "\(directory)/\(name).done")
                }
                return !run.isRunning
            }
            for name in asked.keys { unlink("\(directory)/\(name).done") }
            #expect(isOver)
            let said = TextFile.read(log)
            #expect(try run.waitForExit(within: .seconds(20)) == .status(0), "\(said.suffix(5000))")
            #expect(said.hasSuffix("as wanted\n"))
            #expect(left.isEmpty, "it did not ask for \(left.keys.sorted())")
        }

        @Test(.startsFirst)
        func `the page leads from an empty database to a live picture, for every width, scheme and way of using it`()
            throws
        {
            let installation = try Installation()
            try installation.daemon.start()
            try play("shown", on: installation.daemon)
            try installation.auditor.verify(installation.daemon)
            #expect(try installation.daemon.stop() == .status(0))
        }

        @Test func `with keys it wants a login, shows what the key opens, and ends with the key`() throws {
            let installation = try Installation()
            let daemon = installation.daemon
            try daemon.start()
            let reader = try MadeKey.create(on: daemon, "--scope", "read")
            let admin = try #require(try MadeKey.create(on: daemon, "--scope", "admin").key)
            let writer = try #require(try MadeKey.create(on: daemon, "--scope", "write").key)
            #expect(eventually { daemon.status(key: writer) == 202 })
            // What an SDK sends and can't be an event is kept as a dead letter.
            let body = Array(#"{"x":1,"writeKey":"\#(writer)"}"#.utf8)
            let nameless = try HTTPClient(daemon.http).request(
                "POST", "/v1/track", headers: [("Content-Type", "application/json")], body: body)
            #expect(nameless.status == 200, "\(nameless.text)")
            let auditor = installation.auditor
            #expect(eventually { (try? auditor.integer("SELECT count(*) FROM public.dead_letters")) == 1 })
            let revoke = { () throws in
                let revoked = try daemon.run("keys", "revoke", reader.id)
                #expect(revoked.isSuccess)
            }
            try play("keyed", on: daemon, [try #require(reader.key), admin, writer], asked: ["revoke": revoke])
            #expect(!daemon.log.contains("mr_r_") && !daemon.log.contains("mr_a_"))
            #expect(try daemon.stop() == .status(0))
        }

        @Test func `while the daemon is away it says since when, and it comes back by itself`() throws {
            let installation = try Installation()
            let daemon = installation.daemon
            try daemon.start()
            try play("away", on: daemon, asked: ["kill": { try daemon.kill() }, "start": { try daemon.start() }])
            #expect(try daemon.stop() == .status(0))
        }

        @Test func `its scripts say sentences, numbers and percentiles right`() throws {
            let installation = try Installation()
            try installation.daemon.start()
            try play("parts", on: installation.daemon)
            #expect(try installation.daemon.stop() == .status(0))
        }
    }
}
