import MillraceTestSupport
import Testing

extension EndToEnd {
    /// What a key allows, on the routes that take something besides `/v1/events`.
    struct KeyedSaveTests {
        private static func save(_ number: Int, key: MadeKey, to daemon: DaemonProcess) throws -> HTTPResponse {
            try HTTPClient(daemon.http).request(
                "POST", "/api/v1/conversations/save",
                headers: [("Content-Type", "application/json"), ("Authorization", "Bearer \(key.key ?? "")")],
                body: Array(
                    (#"{"conversation_id":"c\#(number)","question":"q","response":"\#(String(repeating: "r", count: 2000))","#
                        + #""user_id":"0192b1a4-7c3e-7a51-9f0e-2d6c1b8e4f70"}"#).utf8))
        }

        private static func order(_ key: MadeKey, at daemon: DaemonProcess) throws -> HTTPResponse {
            try HTTPClient(daemon.http).request(
                "POST", "/v1/checkout",
                headers: [
                    ("Content-Type", "application/json"), ("Idempotency-Key", "k"),
                    ("Authorization", "Bearer \(key.key ?? "")"),
                ], body: Array(#"{"user_id":"0192b1a4-7c3e-7a51-9f0e-2d6c1b8e4f70"}"#.utf8))
        }

        @Test func `a key's types and rates hold for saves and checkouts too`() throws {
            let daemon = try Installation("keyedSaves", settings: ["projections.packs": #"["commerce"]"#]).daemon
            #expect(try daemon.run("migrate", "up").isSuccess)
            try daemon.start()
            func key(_ arguments: String...) throws -> MadeKey {
                try daemon.run(["keys", "create", "--json", "--scope", "write"] + arguments).report(MadeKey.self)
            }
            let saves = try key("--type", "conversation.save")
            let orders = try key("--type", "commerce.*")
            let slow = try key("--rate", "1", "--burst", "1")
            let small = try key("--byte-rate", "10", "--byte-burst", "100")
            let isIn = eventually { (try? Self.save(0, key: small, to: daemon).status) == 201 }
            #expect(isIn)
            #expect(try Self.save(1, key: saves, to: daemon).status == 201)
            #expect(try Self.order(orders, at: daemon).text.contains("MR003"))
            for answer in [try Self.save(2, key: orders, to: daemon), try Self.order(saves, at: daemon)] {
                #expect(answer.status == 403 && answer.text.contains("\"forbidden_type\""), "\(answer.text)")
            }
            // At ten bytes a second, what the first one took is paid back after minutes.
            let excess = try Self.save(3, key: small, to: daemon)
            #expect(excess.status == 429 && (Int(excess.headers["retry-after"] ?? "") ?? 0) >= 1, "\(excess.text)")
            // Far quicker than one a second.
            let isLimited = try (4..<60).contains { try Self.save($0, key: slow, to: daemon).status == 429 }
            #expect(isLimited)
            #expect(try daemon.stop() == .status(0))
        }

        @Test func `import wants a key of the tenant whose ids it makes`() throws {
            let installation = try Installation("keyedImport")
            let daemon = installation.daemon
            try daemon.start()
            #expect(try daemon.run("tenants", "create", "acme", "--id", "7").isSuccess)
            let key = try MadeKey.create(on: daemon, "--scope", "write", "--tenant", "acme").key ?? ""
            let isIn = eventually { daemon.status(key: key) == 202 }
            #expect(isIn)
            let scratch = try ScratchDirectory()
            let file = scratch.path + "/saves.ndjson"
            let line = #"{"conversation_id":"c","question":"q","response":"r","timestamp":"2026-11-01T00:00:00Z","#
            try TextFile.write(line + #""user_id":"0192b1a4-7c3e-7a51-9f0e-2d6c1b8e4f70"}"# + "\n", to: file)
            func run(_ arguments: String...) throws -> CommandRun {
                try daemon.run(["import", file, "--quiet"] + arguments, environment: ["MILLRACE_KEY": key])
            }
            let wrong = try run()
            #expect(
                wrong.exit == .status(1) && wrong.errors.contains("tenant 7's, and --tenant says 0"), "\(wrong.errors)")
            #expect(wrong.errors.contains("Give --tenant 7"))
            #expect(try run("--tenant", "7").isSuccess)
            #expect(try installation.auditor.strings("SELECT tenant_id::text FROM conversations") == ["7"])
            #expect(try daemon.stop() == .status(0))
        }
    }
}
