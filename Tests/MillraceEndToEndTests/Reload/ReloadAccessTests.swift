import Glibc
import MillraceTestSupport
import Testing

extension EndToEnd {
    /// Who may reload, and what a reload changes of who is let in.
    struct ReloadAccessTests {
        private static let event = #"{"event_type":"reload.tried"}"#

        @Test func `a key reloads with the scope admin alone, and the audit log has its id`() throws {
            let installation = try Installation(settings: ["auth.refresh_interval": "\"100ms\""])
            let daemon = installation.daemon
            func key(_ scope: String) throws -> String {
                try daemon.run("keys", "create", "--scope", scope).output.split(separator: "\n").joined()
            }
            let (admin, write, read) = (try key("admin"), try key("write"), try key("read"))
            try daemon.start()
            let client = HTTPClient(daemon.http)
            func reload(_ key: String?) throws -> Int {
                let headers = key.map { [("Authorization", "Bearer \($0)")] } ?? []
                return try client.request("POST", "/v1/reload", headers: headers, body: []).status
            }
            #expect(eventually { (try? reload(admin)) == 200 })
            #expect(try reload(nil) == 401)
            #expect(try reload("mr_a_000000000000_") == 401)
            #expect(try reload(write) == 403)
            #expect(try reload(read) == 403)

            try daemon.change(["limits.depth": "17"])
            let keyless = try daemon.run("reload")
            #expect(keyless.exit == .status(1) && keyless.errors.contains("401"), "\(keyless.errors)")
            let run = try daemon.run(["reload"], environment: ["MILLRACE_KEY": admin])
            #expect(run.isSuccess && run.output.contains("limits.depth: 64 -> 17"), "\(run.output)\(run.errors)")
            let rows = """
                SELECT actor || ' ' || actor_kind || ' ' || (after -> 'applied')::text FROM public.audit_log
                WHERE action = 'settings.reload' ORDER BY id DESC LIMIT 1
                """
            let id = admin.split(separator: "_").dropFirst(2).first ?? ""
            let wanted = #"\#(id) key {"limits.depth": "17"}"#
            #expect(eventually { (try? installation.auditor.strings(rows)) == [wanted] })
            #expect(!daemon.log.contains(admin))
            #expect(try daemon.stop() == .status(0))
        }

        @Test func `limits of addresses hold from a reload on, and who is in stays`() throws {
            let daemon = try Installation(settings: ["limits.address_loopback": "true"]).daemon
            try daemon.start()
            let open = try TCPClient(daemon.tcp, acks: "spooled")
            try open.send(Self.event)
            try open.waitForAck(1)
            try daemon.change(["limits.address_connections_max": "1"])
            let run = try daemon.run("reload")
            #expect(run.isSuccess, "\(run.errors)")
            #expect(throws: (any Error).self) { try TCPClient(daemon.tcp, acks: "spooled") }
            #expect(try HTTPClient(daemon.http).postEvents(Array(Self.event.utf8)).status == 429)
            try open.send(Self.event)
            try open.waitForAck(2)

            try daemon.change(["limits.address_connections_max": "512"])
            try daemon.process.signal(SIGHUP)
            #expect(eventually { (try? HTTPClient(daemon.http).postEvents(Array(Self.event.utf8)).status) == 202 })
            try open.send(Self.event)
            try open.waitForAck(3)
            #expect(open.refusals.isEmpty)
            #expect(try daemon.stop() == .status(0))
        }
    }
}
