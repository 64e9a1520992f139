import FoundationEssentials
import Glibc
import MillraceTestSupport
import Testing

extension EndToEnd {
    /// `millrace mcp` with the real daemon behind it.
    struct MCPTests {
        private struct Conversation: Decodable {
            struct Result: Decodable {
                var isError: Bool
                var text: String
            }

            var server: String
            var `protocol`: String
            var tools: [String]
            var results: [Result]
        }

        private static let packs = ["projections.packs": #"["analytics", "product"]"#]
        private static let hello =
            #"{"jsonrpc":"2.0","id":0,"method":"initialize","params":{"protocolVersion":"2025-06-18"}}"#
        private static let user = "843d440a-a7a7-45ee-96df-3568c37384b9"

        private static func call(_ id: Int, _ tool: String, _ arguments: String = "{}") -> String {
            #"{"jsonrpc":"2.0","id":\#(id),"method":"tools/call","params":{"name":"\#(tool)","arguments":\#(arguments)}}"#
        }

        private static func started(_ name: String = #function, settings: [String: String] = [:]) throws -> Installation
        {
            let installation = try Installation(name, settings: packs.merging(settings) { $1 })
            #expect(try installation.daemon.run("migrate", "up").isSuccess)
            try installation.daemon.start()
            try installation.daemon.waitUntil("/readyz")
            return installation
        }

        private static func send(_ lines: [String], to daemon: DaemonProcess, key: String? = nil) throws {
            let headers =
                [("Content-Type", "application/x-ndjson")] + (key.map { [("Authorization", "Bearer \($0)")] } ?? [])
            let answer = try HTTPClient(daemon.http).request(
                "POST", "/v1/events?ack=committed", headers: headers,
                body: Array((lines.joined(separator: "\n") + "\n").utf8))
            #expect(answer.status == 200, "\(answer.text)")
        }

        private static func event(_ type: String, _ n: Int) -> String {
            #"{"event_type":"\#(type)","user_id":"\#(user)","payload":{"n":\#(n),"text":"größer \"than\" ever"}}"#
        }

        @Test func `the SDK of PyPI lists the tools and gets counts, tops, reports and events by them`() throws {
            let installation = try Self.started()
            let daemon = installation.daemon
            let writing = try #require(try MadeKey.create(on: daemon, "--scope", "write").key)
            let reading = try #require(try MadeKey.create(on: daemon, "--scope", "read").key)
            #expect(eventually { daemon.status(key: writing) == 202 })
            try Self.send(
                (0..<5).map { Self.event("seen", $0) } + [Self.event("bought", 5)], to: daemon, key: writing)
            let scratch = try ScratchDirectory()
            try TextFile.write(reading + "\n", to: scratch.path + "/key")
            chmod(scratch.path + "/key", 0o600)
            try TextFile.write(
                """
                [["list_packs", {}],
                 ["counts", {"pack": "analytics", "fold": "events_by_hour", "bucket": "none", "by": ["event_type"]}],
                 ["counts", {"pack": "analytics", "fold": "events_by_hour", "bucket": "none", "columns": {"event_type": "seen"}}],
                 ["uniques", {"pack": "analytics", "fold": "active_users", "bucket": "none"}],
                 ["funnels", {"steps": ["seen", "bought"]}], ["sessions", {"bucket": "none"}],
                 ["paths", {"type": "seen", "length": 1}], ["retention", {"period": "day"}],
                 ["events", {"type": "bought", "payload": {"n": 5}}], ["status", {}],
                 ["counts", {"pack": "nothing", "fold": "x"}], ["events", {"tpye": "seen"}], ["counts", {}]]
                """, to: scratch.path + "/calls")
            let run = try SpawnedProcess(
                Python.path,
                [
                    "\(Repository.root)/Tests/MCP/call.py", scratch.path + "/calls", MillraceBinary.path, "mcp",
                    "--config",
                    daemon.configuration, "--key-file", scratch.path + "/key",
                ], mark: scratch.path, output: scratch.path + "/out", errors: scratch.path + "/err")
            let exit = try run.waitForExit(within: .seconds(120))
            let errors = TextFile.read(scratch.path + "/err")
            #expect(exit == .status(0), "\(errors)")
            let said = try CommandRun.decode(Conversation.self, from: TextFile.read(scratch.path + "/out"))
            #expect(said.server == "millrace" && said.tools.count >= 10)
            #expect(said.protocol == "2025-11-25")
            let wanted = [
                #""name":"events_by_hour""#, #""event_type":"seen","n":5"#, #""n":5"#, #""n":1"#,
                #""step":2,"event_type":"bought","n":1"#, #""events":6"#, #""path":["seen","#, #""period":0"#,
                #""n": 5"#,
                #""status":"ready""#, "unknown_pack", "tpye", "pack is wanted",
            ]
            #expect(said.results.count == wanted.count)
            for (index, (result, words)) in zip(said.results, wanted).enumerated() {
                #expect(result.text.contains(words), "\(index): \(result.text)")
                #expect(result.isError == (index >= 10), "\(index): \(result.text)")
            }
            #expect(!errors.contains(reading) && !said.results.contains { $0.text.contains(reading) })
        }

        @Test
        func `malformed lines are told so, what is written is nothing but messages, and the end of input ends it`()
            throws
        {
            let installation = try Self.started()
            try Self.send((0..<300).map { Self.event("seen", $0) }, to: installation.daemon)
            let server = try MCPProcess(["--config", installation.daemon.configuration, "--output-kib", "2"])
            #expect(try server.ask(Self.hello).contains(#""protocolVersion":"2025-06-18""#))
            #expect(try server.ask("no json").contains("-32700"))
            #expect(try server.ask(String(repeating: "x", count: 3 << 20)).contains("-32600"))
            #expect(try server.ask(#"{"jsonrpc":"2.0","id":1,"method":"tools/nothing"}"#).contains("-32601"))
            let events = try server.ask(Self.call(2, "events", #"{"limit":200}"#))
            #expect(events.contains("Cut to the first ") && events.utf8.count < 5000, "\(events)")
            #expect(events.contains(#""isError":false"#))
            let all = try server.ask(
                Self.call(3, "counts", #"{"pack":"analytics","fold":"events_by_hour","bucket":"none"}"#))
            #expect(all.contains(#"\"n\":300"#), "\(all)")
            for line in server.output.split(separator: "\n") {
                #expect(line.hasPrefix(#"{"jsonrpc":"2.0","id":"#), "\(line)")
            }
            #expect(server.errors.isEmpty, "\(server.errors)")
            #expect(try server.finish() == .status(0))
        }

        @Test func `without a daemon, with a wrong key, and with one that may only write, a tool says what to do`()
            throws
        {
            let installation = try Self.started()
            let daemon = installation.daemon
            let writing = try #require(try MadeKey.create(on: daemon, "--scope", "write").key)
            let wrong = String(writing.dropLast()) + (writing.hasSuffix("0") ? "1" : "0")
            #expect(eventually { daemon.status(key: nil) == 401 && daemon.status(key: writing) == 202 })
            for (key, code) in [(wrong, "no key"), (writing, "forbidden"), (nil, "unauthenticated")] {
                let environment = key.map { ["MILLRACE_KEY": $0] } ?? [:]
                let server = try MCPProcess(["--config", daemon.configuration], environment: environment)
                if code == "no key" {
                    // A key whose check does not fit is none.
                    #expect(try server.finish() == .status(1))
                    #expect(
                        server.errors.contains("holds no key") && !server.errors.contains(wrong), "\(server.errors)")
                    continue
                }
                _ = try server.ask(Self.hello)
                let answer = try server.ask(Self.call(1, "list_packs"))
                #expect(answer.contains(code) && answer.contains(#""isError":true"#), "\(answer)")
                #expect(answer.contains("--key-file"))
                #expect(!server.output.contains("mr_w") && !server.errors.contains("mr_w"))
                #expect(try server.finish() == .status(0))
            }
            #expect(try daemon.stop() == .status(0))
            let server = try MCPProcess(["--config", daemon.configuration])
            _ = try server.ask(Self.hello)
            let answer = try server.ask(Self.call(1, "status"))
            #expect(answer.contains("cannot connect") && answer.contains(#""isError":true"#), "\(answer)")
            // It goes on, and so does the daemon.
            try daemon.start()
            #expect(try server.ask(Self.call(2, "status")).contains(#"\"status\":\"ready\""#))
        }

        @Test func `a daemon that hangs holds up neither other requests nor the end; a cancelled call is not answered`()
            throws
        {
            let silent = try SilentListener()
            let server = try MCPProcess(["--to", "127.0.0.1:\(silent.port)", "--timeout", "3600"])
            _ = try server.ask(Self.hello)
            for id in 1...6 { server.send(Self.call(id, "list_packs")) }
            server.send(#"{"jsonrpc":"2.0","method":"notifications/cancelled","params":{"requestId":1}}"#)
            #expect(
                try server.ask(#"{"jsonrpc":"2.0","id":"p","method":"ping"}"#)
                    == #"{"jsonrpc":"2.0","id":"p","result":{}}"#)
            #expect(try server.finish() == .status(0))
            #expect(server.output.split(separator: "\n").count == 2)
        }

        @Test func `a tenant's key reads its own, whatever the arguments say`() throws {
            let installation = try Self.started()
            let daemon = installation.daemon
            let own = try #require(try MadeKey.create(on: daemon, "--scope", "write").key)
            #expect(try daemon.run("tenants", "create", "acme", "--id", "7").isSuccess)
            let other = try #require(
                try MadeKey.create(on: daemon, "--scope", "read", "--tenant", "7").key)
            #expect(eventually { daemon.status(key: own) == 202 })
            try Self.send((0..<3).map { Self.event("secret", $0) }, to: daemon, key: own)
            let server = try MCPProcess(["--config", daemon.configuration], environment: ["MILLRACE_KEY": other])
            _ = try server.ask(Self.hello)
            for (id, arguments) in ["{}", #"{"tenant_id":"0"}"#, #"{"columns":{"tenant_id":"0"}}"#].enumerated() {
                let answer = try server.ask(Self.call(id + 1, "events", arguments))
                #expect(!answer.contains("secret"), "\(answer)")
            }
        }
    }
}
