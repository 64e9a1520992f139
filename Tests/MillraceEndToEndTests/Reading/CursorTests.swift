import FoundationEssentials
import Glibc
import MillraceTestSupport
import Testing

extension EndToEnd {
    struct CursorTests {
        private struct Page: Decodable {
            var next: String?
        }

        private func get(_ cursor: String?, _ daemon: DaemonProcess) throws -> HTTPResponse {
            let path = "/v1/events?limit=1" + (cursor.map { "&cursor=\($0)" } ?? "")
            return try HTTPClient(daemon.http).request("GET", path)
        }

        private func next(_ daemon: DaemonProcess) throws -> String {
            let answer = try get(nil, daemon)
            #expect(answer.status == 200, "\(answer.text)")
            return try #require(try JSONDecoder().decode(Page.self, from: Data(answer.body)).next)
        }

        private func expectRefused(_ cursor: String, _ daemon: DaemonProcess, _ what: String) throws {
            let answer = try get(cursor, daemon)
            #expect(answer.status == 400, "\(what): \(answer.text)")
            #expect(try answer.json.error?.code == "invalid_cursor", "\(what): \(answer.text)")
        }

        @Test func `a cursor is taken as it was given, after a restart too, and otherwise not`() throws {
            let installation = try Installation()
            let daemon = installation.daemon
            try daemon.start()
            let lines = (0..<3).map { #"{"event_type":"a","payload":{"n":\#($0)}}"# + "\n" }.joined()
            #expect(
                try HTTPClient(daemon.http).postEvents(Array(lines.utf8), query: "?ack=committed").status == 200)
            let cursor = try next(daemon)
            #expect(try get(cursor, daemon).status == 200)
            for index in cursor.indices {
                var changed = cursor
                changed.replaceSubrange(index...index, with: cursor[index] == "A" ? "B" : "A")
                try expectRefused(changed, daemon, "letter \(cursor.distance(from: cursor.startIndex, to: index))")
            }
            let other = try HTTPClient(daemon.http).request("GET", "/v1/events?limit=1&type=a&cursor=\(cursor)")
            #expect(other.status == 400)
            // What anybody could make before: eight bytes of SHA-256 over the question and the values.
            try expectRefused(forged(), daemon, "forged")

            #expect(FileStatus(daemon.directory + "/spool/cursor.key")?.permissions == 0o600)
            #expect(try daemon.stop() == .status(0))
            try daemon.start()
            try daemon.waitUntil("/readyz")
            #expect(eventually { (try? get(cursor, daemon).status) == 200 })

            let second = try DaemonProcess(databaseURL: installation.database.connectionString)
            try second.start()
            try second.waitUntil("/readyz")
            try expectRefused(cursor, second, "another daemon's")
            #expect(try second.stop() == .status(0))
            #expect(try daemon.stop() == .status(0))
        }

        private func forged() -> String {
            let values = Data(#"["2026-01-01T00:00:00Z","2027-01-01T00:00:00Z","2026-06-01T00:00:00Z",null]"#.utf8)
            return (Data(repeating: 7, count: 16) + values).base64EncodedString().replacing("+", with: "-")
                .replacing("/", with: "_").replacing("=", with: "")
        }

        @Test func `daemons with one api.cursor_key take each other's cursors; a short key is refused at the start`()
            throws
        {
            let key = ["api.cursor_key": "\"0123456789abcdef0123456789abcdef\""]
            let installation = try Installation(settings: key)
            let second = try DaemonProcess(databaseURL: installation.database.connectionString, settings: key)
            for daemon in [installation.daemon, second] {
                try daemon.start()
                try daemon.waitUntil("/readyz")
            }
            let lines = (0..<3).map { #"{"event_type":"a","payload":{"n":\#($0)}}"# + "\n" }.joined()
            #expect(
                try HTTPClient(second.http).postEvents(Array(lines.utf8), query: "?ack=committed").status == 200)
            #expect(try get(try next(installation.daemon), second).status == 200)
            #expect(access(second.directory + "/spool/cursor.key", F_OK) != 0)
            for daemon in [installation.daemon, second] { #expect(try daemon.stop() == .status(0)) }
            let short = try DaemonProcess(
                databaseURL: installation.database.connectionString, settings: ["api.cursor_key": "\"short\""])
            try short.launch()
            #expect(try short.process.waitForExit(within: .seconds(30)) != .status(0))
            #expect(short.log.contains("api.cursor_key") && !short.log.contains("short\""), "\(short.log)")
        }
    }
}
