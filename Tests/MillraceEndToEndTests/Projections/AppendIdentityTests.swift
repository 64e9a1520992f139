import FoundationEssentials
import MillracePostgres
import MillraceProjections
import MillraceTestSupport
import Testing

extension EndToEnd {
    struct AppendIdentityTests {
        private static func message(_ second: Int) -> String {
            """
            {"id":"0005eed0-0000-4000-8000-000000000003","event_type":"workspaces.message_sent",\
            "created_at":"2026-11-20T10:00:0\(second)Z",\
            "payload":{"id":7,"workspace_id":1,"role":"USER","content":"\(second)"}}
            """
        }

        private static let messages = "SELECT content FROM projections.workspaces_messages ORDER BY created_at"

        private static func send(_ lines: [String], to daemon: DaemonProcess) throws {
            for line in lines {
                let client = try TCPClient(daemon.tcp, acks: "committed")
                try client.send(line)
                try client.waitForAck(1)
            }
        }

        private static func expectVerified(_ daemon: DaemonProcess) throws {
            let verified = try daemon.run("projections", "verify", "workspaces", "--quiet")
            #expect(verified.isSuccess, "\(verified.output) \(verified.errors)")
        }

        @Test func `two messages with one id are two, whichever came first, after a kill and a rebuild too`() throws {
            let installation = try Installation(settings: ["projections.packs": "[\"workspaces\"]"])
            let (daemon, auditor) = (installation.daemon, installation.auditor)
            #expect(try daemon.run("migrate", "up").isSuccess)
            try daemon.start()
            try Self.send([5, 1, 5, 1].map(Self.message), to: daemon)
            #expect(try auditor.strings(Self.messages) == ["1", "5"])
            try Self.expectVerified(daemon)
            try daemon.kill()
            try daemon.start()
            try Self.send([3, 1].map(Self.message), to: daemon)
            #expect(try daemon.run("projections", "rebuild", "workspaces", "--quiet").isSuccess)
            #expect(try auditor.strings(Self.messages) == ["1", "3", "5"])
            try Self.expectVerified(daemon)
            // A page holds each once, however short.
            var (seen, path) = ([String](), "/v1/entities/workspaces/messages?limit=1")
            for _ in 0..<4 {
                let page = try HTTPClient(daemon.http).request("GET", path)
                #expect(page.status == 200, "\(page.text)")
                let body = try JSONDecoder().decode(MessagePage.self, from: Data(page.text.utf8))
                seen += body.items.map(\.content)
                guard let next = body.next else { break }
                path = "/v1/entities/workspaces/messages?limit=1&cursor=\(next)"
            }
            #expect(seen == ["5", "3", "1"])
        }

        private struct MessagePage: Decodable {
            struct Item: Decodable {
                var content: String
            }

            var items: [Item]
            var next: String?
        }

        @Test func `version 1 of workspaces is read until its rebuild, which list and check ask for`() throws {
            let installation = try Installation(
                "workspaces_version_1",
                settings: [
                    "projections.packs": "[\"workspaces\"]",
                    "projections.directory": DaemonSettings.quoted(OlderPacks.directory),
                ])
            let (older, auditor) = (installation.daemon, installation.auditor)
            // As an older Millrace made it: this one makes no new table with such a key.
            let refused = try older.run("migrate", "up")
            #expect(
                !refused.isSuccess && refused.errors.contains("(tenant_id, event_at, event_id)"), "\(refused.errors)")
            let connection = try installation.database.connect()
            try PackFixture.install(
                PackLoader(directory: OlderPacks.directory).load("workspaces"), isNew: false, on: connection)
            let objects = try VersionObjects(connection: connection).entries(in: "projections")
                .filter { $0.contains(" workspaces_") }
            try connection.query(
                "UPDATE projections.versions SET objects = $1 WHERE pack = 'workspaces'",
                parameters: [.array(objects)])
            try older.start()
            try Self.send([5, 1].map(Self.message), to: older)
            #expect(try auditor.strings(Self.messages) == ["5"])
            for command in [["projections", "list"], ["check"]] {
                let run = try older.run(command)
                #expect(!run.isSuccess && run.output.contains("raise `version`"), "\(command): \(run.output)")
            }
            try older.kill()

            let daemon = try DaemonProcess(
                databaseURL: installation.database.connectionString,
                settings: ["projections.packs": "[\"workspaces\"]"])
            try daemon.start()
            #expect(try auditor.strings(Self.messages) == ["5"])
            for command in [["projections", "list"], ["check"]] {
                let run = try daemon.run(command)
                #expect(
                    !run.isSuccess && run.output.contains("millrace projections rebuild workspaces"),
                    "\(command): \(run.output)")
            }
            try Self.send([3].map(Self.message), to: daemon)
            let rebuilt = try daemon.run("projections", "rebuild", "workspaces", "--quiet")
            #expect(rebuilt.isSuccess, "\(rebuilt.errors)")
            #expect(try auditor.strings(Self.messages) == ["1", "3", "5"])
            try Self.expectVerified(daemon)
        }
    }
}
