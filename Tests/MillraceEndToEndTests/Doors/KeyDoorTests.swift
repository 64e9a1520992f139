import MillraceAccess
import MillracePostgres
import MillraceTestSupport
import Testing

extension EndToEnd {
    /// Keys at both doors of the intake, with PostgreSQL there and away.
    struct KeyDoorTests {
        private static let event = Array(#"{"event_type":"door"}"#.utf8)

        private struct Key {
            let id: String
            let text: String

            /// `columns`: further ones, with their values.
            init(in database: TestDatabase, _ scope: AccessScope = .write, _ columns: [(String, String)] = []) throws {
                let (key, text) = AccessKey.make(scopes: [scope])
                id = key.id
                self.text = text
                let hash = key.secretHash.map { String($0 >> 4, radix: 16) + String($0 & 15, radix: 16) }.joined()
                let named = [
                    ("id", "'\(id)'"), ("name", "'test'"), ("scopes", "'{\(scope)}'"),
                    ("secret_hash", "decode('\(hash)', 'hex')"),
                ]
                let all = named + columns
                try database.connect().execute(
                    """
                    INSERT INTO public.access_keys (\(all.map(\.0).joined(separator: ", ")))
                    VALUES (\(all.map(\.1).joined(separator: ", ")))
                    """)
            }

            var fields: [(String, String)] { [("Authorization", "Bearer \(text)")] }
        }

        private static func post(
            _ http: Endpoint, _ fields: [(String, String)], _ body: [UInt8] = event
        ) throws -> HTTPResponse {
            try HTTPClient(http).request(
                "POST", "/v1/events", headers: [("Content-Type", "application/x-ndjson")] + fields, body: body)
        }

        @Test func `keys open what they say, also while PostgreSQL is away`() throws {
            let cluster = try TestCluster(isDurable: false)
            let installation = try Installation(cluster: cluster, settings: ["auth.refresh_interval": "\"100ms\""])
            let (database, daemon) = (installation.database, installation.daemon)
            let key = try Key(in: database)
            let reading = try Key(in: database, .read)
            let typed = try Key(in: database, .write, [("event_types", "'{page.*}'")])
            let slow = try Key(in: database, .write, [("events_per_second", "5"), ("events_burst", "1")])
            try daemon.start()
            #expect(eventually { (try? Self.post(daemon.http, key.fields).status) == 202 })
            try installation.auditor.waitForRows(1)
            try cluster.stop()

            #expect(try Self.post(daemon.http, key.fields).status == 202)
            let none = try Self.post(daemon.http, [])
            let wrong = try Self.post(
                daemon.http, [("Authorization", "Bearer \(AccessKey.make(scopes: [.write]).text)")])
            #expect(none.status == 401 && none.text == wrong.text && none.headers == wrong.headers)
            #expect(try none.json.error?.code == "unauthenticated")
            #expect(try Self.post(daemon.http, reading.fields).status == 403)

            let items = try Self.post(
                daemon.http, typed.fields, Array("{\"event_type\":\"page.viewed\"}\n{\"event_type\":\"paid\"}\n".utf8))
            #expect(try items.status == 202 && items.json.accepted == 1)
            #expect(try items.json.rejected?.map(\.error.code) == ["forbidden_type"])

            let many = Array(String(repeating: "{\"event_type\":\"door\"}\n", count: 20).utf8)
            #expect(try Self.post(daemon.http, slow.fields, many).json.accepted == 20)
            let limited = try Self.post(daemon.http, slow.fields)
            #expect(try limited.status == 429 && limited.json.error?.code == "rate_limited")
            #expect((limited.headers["retry-after"].flatMap { Int($0) } ?? 0) >= 1)
            #expect(eventually { (try? Self.post(daemon.http, slow.fields).status) == 202 })

            let client = try TCPClient(daemon.tcp, acks: "spooled", key: key.text)
            try client.send(#"{"event_type":"door"}"#)
            try client.waitForAck(1)
            let held = try TCPClient(daemon.tcp, acks: "spooled", key: slow.text)
            for _ in 0..<2 { try held.send(many) }
            try held.waitForAck(40)
            #expect(held.limitedCount <= 1 && held.refusals.isEmpty)
            #expect(throws: (any Error).self) { try TCPClient(daemon.tcp, acks: "spooled") }
            #expect(throws: (any Error).self) { try TCPClient(daemon.tcp, acks: "spooled", key: reading.text) }

            try cluster.start()
            try database.connect().execute("UPDATE public.access_keys SET revoked_at = now() WHERE id = '\(key.id)'")
            #expect(eventually { (try? Self.post(daemon.http, key.fields).status) == 401 })
            try client.finish()
            #expect(client.acked == 1 && client.problem?.code == "unauthenticated")
            #expect(!daemon.log.contains(key.text) && daemon.log.contains("authentication failed"))
        }

        @Test func `a good client goes on beside a flood of wrong keys`() throws {
            let installation = try Installation(
                settings: ["auth.refresh_interval": "\"100ms\"", "auth.failures_waiting_max": "8"])
            let (database, daemon) = (installation.database, installation.daemon)
            let key = try Key(in: database)
            try daemon.start()
            #expect(eventually { (try? Self.post(daemon.http, key.fields).status) == 202 })
            let wrong = Array(
                "POST /v1/events HTTP/1.1\r\nHost: localhost\r\nAuthorization: Bearer mr_w_\r\nContent-Length: 0\r\n\r\n"
                    .utf8)
            var flood: [StreamSocket] = []
            for round in 0..<20 {
                for _ in 0..<20 {
                    let socket = try StreamSocket(daemon.http)
                    try socket.send(wrong)
                    flood.append(socket)
                }
                #expect(try Self.post(daemon.http, key.fields).status == 202, "round \(round)")
            }
            for socket in flood {
                let line = (try? socket.line()) ?? nil
                #expect(line == nil || line?.hasPrefix("HTTP/1.1 401") == true)
            }
            #expect(
                try daemon.metrics(key: key.text).count(
                    "millrace_intake_authentications_failed_total", "http") == 400)
        }
    }
}
