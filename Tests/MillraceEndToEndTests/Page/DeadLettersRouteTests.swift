import Foundation
import MillracePostgres
import MillraceTestSupport
import Testing

extension EndToEnd {
    /// Dead letters over HTTP: whose they are, who sees what of them, and writing them again.
    struct DeadLettersRouteTests {
        private struct List: Decodable {
            struct Reason: Decodable, Equatable {
                var code: String
                var sqlstate: String?
                var letters: Int
            }
            struct Letter: Decodable {
                var id: String
                var deadAt: String
                var kind: String
                var quarantined: Bool
                var code: String
                var message: String
                var line: String?
                var lineBytes: Int?
            }
            var reasons: [Reason]
            var items: [Letter]
        }

        private struct Retried: Decodable, Equatable {
            var retried: Int
            var committed: Int
            var duplicates: Int
            var refused: Int
            var skipped: Int
        }

        private struct Door {
            let daemon: DaemonProcess
            let key: String

            func ask(_ method: String, _ path: String, _ body: String? = nil) throws -> HTTPResponse {
                try HTTPClient(daemon.http).request(
                    method, path,
                    headers: [("Authorization", "Bearer \(key)"), ("Content-Type", "application/json")],
                    body: body.map { Array($0.utf8) })
            }

            func list(_ query: String = "") throws -> List {
                let answer = try ask("GET", "/v1/dead-letters" + query)
                guard answer.status == 200 else { throw UnexpectedAnswer(text: answer.text) }
                return try CommandRun.decode(List.self, from: answer.text)
            }

            func retry(_ ids: [String]) throws -> Retried {
                let list = ids.map { "\"\($0)\"" }.joined(separator: ",")
                let answer = try ask("POST", "/v1/dead-letters/retry", "{\"ids\":[\(list)]}")
                guard answer.status == 200 else { throw UnexpectedAnswer(text: answer.text) }
                return try CommandRun.decode(Retried.self, from: answer.text)
            }
        }

        private func door(_ daemon: DaemonProcess, _ scope: String, _ tenant: String) throws -> Door {
            let made = try MadeKey.create(on: daemon, "--scope", scope, "--tenant", tenant)
            return Door(daemon: daemon, key: try #require(made.key))
        }

        @Test func `a tenant sees its own, reads lines as an administrator only, and writes them again exactly once`()
            throws
        {
            let installation = try Installation()
            let (daemon, auditor) = (installation.daemon, installation.auditor)
            try daemon.start()
            for name in ["rich", "poor"] { #expect(try daemon.run("tenants", "create", name).isSuccess) }
            let writers = try ["rich", "poor"].map { try door(daemon, "write", $0) }
            let readers = try ["rich", "poor"].map { try door(daemon, "read", $0) }
            let admins = try ["rich", "poor"].map { try door(daemon, "admin", $0) }
            #expect(eventually { (try? admins[1].list()) != nil })

            // What the database refuses until it is mended. A table that takes no row at all would be waited for.
            let connection = try installation.database.connect()
            try connection.execute(
                "ALTER TABLE analytics_events ADD CONSTRAINT no_secret CHECK (event_type <> 'secret.word')")
            for writer in writers {
                let events = #"[{"event_type":"plain.word"},{"event_type":"secret.word"}]"#
                let sent = try writer.ask("POST", "/v1/events?ack=committed", events)
                #expect(sent.text.contains("dead_letters"), "\(sent.text)")
                #expect(try writer.ask("POST", "/v1/track", #"{"x":1}"#).status == 200)
            }
            #expect(try eventually { try readers.allSatisfy { try $0.list().items.count == 2 } })

            for (reader, admin) in zip(readers, admins) {
                let (seen, whole) = (try reader.list(), try admin.list())
                #expect(seen.items.map(\.id) == whole.items.map(\.id))
                #expect(Set(seen.reasons.map(\.code)) == ["database", "missing_field"], "\(whole)")
                #expect(seen.reasons.first { $0.code == "database" }?.sqlstate == "23514")
                #expect(seen.items.allSatisfy { $0.line == nil && ($0.lineBytes ?? 0) > 0 }, "a reader sees no line")
                #expect(!"\(seen.items.map(\.message))".contains("secret.word"))
                #expect(whole.items.contains { $0.line?.contains("secret.word") == true })
                #expect(seen.items.allSatisfy { $0.deadAt.hasSuffix("Z") && !$0.id.isEmpty })
                #expect(seen.items.first { $0.code == "missing_field" }?.quarantined == true)
            }
            #expect(try readers[0].list("?code=database").items.map(\.code) == ["database"])
            #expect(try readers[0].list("?limit=1").items.count == 1)
            #expect(try readers[0].list("?code=other").items.isEmpty)
            #expect(try readers[0].ask("GET", "/v1/dead-letters?limit=0").status == 400)
            #expect(try writers[0].ask("GET", "/v1/dead-letters").status == 403)

            let ids = try admins.map { try $0.list("?code=database").items.map(\.id) }
            let first = try #require(ids[0].first)
            let body = #"{"ids":["\#(first)"]}"#
            for door in [readers[0], writers[0]] {
                #expect(try door.ask("POST", "/v1/dead-letters/retry", body).status == 403)
            }
            for (body, status) in [
                ("{}", 400), (#"{"ids":["\#(first)"],"all":["x"]}"#, 400), (#"{"ids":[]}"#, 400),
                (#"{"ids":["x"]}"#, 400), (#"{"ids":[1]}"#, 400), ("[", 400),
                (#"{"ids":["\#(Array(repeating: first, count: 501).joined(separator: "\",\""))"]}"#, 400),
            ] {
                #expect(
                    try admins[0].ask("POST", "/v1/dead-letters/retry", body).status == status, "\(body.prefix(30))")
            }
            #expect(
                try admins[0].retry(ids[1]) == Retried(retried: 0, committed: 0, duplicates: 0, refused: 0, skipped: 0))
            #expect(try admins[0].retry(ids[0]).refused == 1, "the database still refuses it")
            try connection.execute("ALTER TABLE analytics_events DROP CONSTRAINT no_secret")
            #expect(
                try admins[0].retry(ids[0]) == Retried(retried: 1, committed: 1, duplicates: 0, refused: 0, skipped: 0))
            #expect(try admins[0].retry(ids[0]).retried == 0, "it is closed")
            #expect(
                try auditor.strings("SELECT tenant_id::text FROM analytics_events WHERE event_type = 'secret.word'")
                    == ["1"])
            #expect(try admins[1].list().items.count == 2, "the other tenant's are as they were")
            // Who did it is in the audit log.
            let actors = try auditor.strings(
                "SELECT actor_kind FROM audit_log WHERE action = 'dead_letters.retry' ORDER BY at DESC LIMIT 1")
            #expect(actors == ["key"])
            try auditor.verify(daemon)
            #expect(try daemon.stop() == .status(0))
        }

        @Test func `months show their tables, rows and sizes to every key`() throws {
            let installation = try Installation(settings: ["auth.open_operations": "false"])
            let daemon = installation.daemon
            try daemon.start()
            #expect(try HTTPClient(daemon.http).postEvents(EventFactory(seed: 5).lines(0..<50)).status == 202)
            try installation.auditor.waitForRows(50)
            struct Months: Decodable {
                struct Month: Decodable {
                    var table: String
                    var name: String
                    var month: String?
                    var state: String
                    var bytes: Int?
                    var fix: String?
                }
                var items: [Month]
            }
            func months(_ headers: [(String, String)] = []) throws -> HTTPResponse {
                try HTTPClient(daemon.http).request("GET", "/v1/months", headers: headers)
            }
            let items = try CommandRun.decode(Months.self, from: months().text).items
            #expect(Set(items.map(\.table)) == ["analytics_events", "conversations"])
            let own = items.filter { $0.table == "analytics_events" }
            #expect(
                own.contains { ($0.bytes ?? 0) > 8192 } && own.allSatisfy { $0.name.hasPrefix("analytics_events_y") })
            #expect(items.allSatisfy { $0.state == "attached" && $0.month?.count == 7 && $0.fix == nil })

            let writer = try #require(try MadeKey.create(on: daemon, "--scope", "write").key)
            #expect(eventually { daemon.status(key: writer) == 202 })
            #expect(try months([("Authorization", "Bearer \(writer)")]).status == 200)
            #expect(try months([("Authorization", "Bearer \(writer)x")]).status == 401)
            #expect(try daemon.stop() == .status(0))
        }
    }
}
