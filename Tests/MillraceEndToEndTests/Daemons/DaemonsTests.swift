import MillracePostgres
import MillraceTestSupport
import Testing

extension EndToEnd {
    struct DaemonsTests {
        private struct Report: Decodable {
            struct Daemon: Decodable {
                var spoolId: String
                var pid: Int
                var version: String
                var state: String
                var awaySince: String?
                var spoolPosition: UInt64
                var settledPosition: UInt64
                var spoolBytes: Int
                var waitingLines: Int
                var lagSeconds: Double?
                var listeners: [String]
            }
            var daemons: [Daemon]
        }

        private static func report(_ daemon: DaemonProcess) throws -> [Report.Daemon] {
            try daemon.run("status", "--all", "--json").report(Report.self).daemons
        }

        @Test func `status --all names every daemon of the database, and who is away since when`() throws {
            let settings = ["database.presence_interval": "\"1s\""]
            let installation = try Installation(settings: settings)
            let first = installation.daemon
            let second = try DaemonProcess(databaseURL: installation.database.connectionString, settings: settings)
            try first.start()
            try second.start()
            try first.waitUntil("/readyz")
            try second.waitUntil("/readyz")
            let events = EventFactory(seed: 71).lines(0..<30)
            #expect(try HTTPClient(first.http).postEvents(events, query: "?ack=committed").status == 200)
            // Both have told of themselves, and the first one of its lines.
            #expect(
                try eventually {
                    let daemons = try Self.report(first)
                    let sender = daemons.first { $0.listeners.contains("http \(first.http)") }
                    return daemons.count == 2 && daemons.allSatisfy { $0.state == "here" && $0.listeners.count == 2 }
                        && sender.map { $0.settledPosition == $0.spoolPosition && $0.waitingLines == 0 } == true
                })
            let run = try first.run("status", "--all")
            #expect(run.isSuccess && run.output.contains("here"), "\(run.output)\(run.errors)")

            // One is killed with lines that wait, the other one stopped in order.
            let pid = try #require(try Self.report(first).first { $0.listeners.contains("http \(first.http)") }).pid
            try first.kill()
            #expect(
                try eventually {
                    try Self.report(second).first { $0.pid == pid }?.state == "away"
                })
            let away = try second.run("status", "--all")
            #expect(away.exit == .status(1) && away.output.contains("is away since"), "\(away.output)")
            #expect(try second.stop() == .status(0))
            let rest = try Self.report(second)
            #expect(rest.count { $0.state == "stopped" && $0.awaySince != nil } == 1, "\(rest)")

            // It comes back under the same row.
            try first.start()
            #expect(
                try eventually {
                    let daemons = try Self.report(first)
                    return daemons.count == 2 && daemons.contains { $0.state == "here" && $0.pid != pid }
                })
            try installation.auditor.verify(first)
        }

        @Test func `a daemon that is gone for good is forgotten, one that is there is not`() throws {
            let installation = try Installation(settings: ["database.presence_interval": "\"1s\""])
            let daemon = installation.daemon
            try daemon.start()
            #expect(try eventually { try Self.report(daemon).map(\.state) == ["here"] })
            let spool = try #require(try Self.report(daemon).first).spoolId
            let refused = try daemon.run("status", "--forget", spool)
            #expect(refused.exit == .status(1) && refused.errors.contains("is there"), "\(refused.errors)")
            try daemon.kill()
            #expect(try eventually { try Self.report(daemon).map(\.state) == ["away"] })
            let connection = try installation.database.connect()
            try connection.execute("UPDATE daemons SET waiting_lines = 12")
            let holds = try daemon.run("status", "--forget", spool)
            #expect(holds.exit == .status(1) && holds.errors.contains("12 lines"), "\(holds.errors)")
            #expect(try daemon.run("status", "--forget", "12345678").exit == .status(1))
            #expect(try daemon.run("status", "--forget", "1").exit == .status(2))
            let forgot = try daemon.run("status", "--forget", String(spool.prefix(8)), "--yes")
            #expect(forgot.isSuccess && forgot.output.contains(spool), "\(forgot.errors)")
            #expect(try Self.report(daemon).isEmpty)
            #expect(
                try connection.execute("SELECT object FROM audit_log WHERE action = 'daemon.forget'").string(0, 0)
                    == spool)
            // It was not gone for good.
            try daemon.start()
            #expect(try eventually { try Self.report(daemon).map(\.state) == ["here"] })
        }

        @Test func `a lock on its row stops no batch, and the log says so`() throws {
            let installation = try Installation(settings: ["database.presence_interval": "\"1s\""])
            let daemon = installation.daemon
            try daemon.start()
            #expect(try eventually { try Self.report(daemon).map(\.state) == ["here"] })
            let other = try installation.database.connect()
            try other.execute("BEGIN; LOCK TABLE daemons IN SHARE MODE")
            let events = EventFactory(seed: 72).lines(0..<20)
            #expect(try HTTPClient(daemon.http).postEvents(events, query: "?ack=committed").status == 200)
            #expect(eventually { daemon.log.contains("own row of public.daemons not written") }, "\(daemon.log)")
            let more = EventFactory(seed: 72).lines(20..<40)
            #expect(try HTTPClient(daemon.http).postEvents(more, query: "?ack=committed").status == 200)
            try other.execute("ROLLBACK")
            try installation.auditor.verify(daemon)
        }
    }
}
