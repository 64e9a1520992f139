import MillraceTestSupport
import Testing

extension EndToEnd {
    struct MigrateTests {
        private struct Changes: Decodable {
            struct Entry: Decodable {
                var version: Int
            }
            var undone: [Entry]
            var applied: [Entry]
        }
        private struct Status: Decodable {
            struct Entry: Decodable {
                var version: Int
                var state: String
            }
            var migrations: [Entry]
        }
        private struct History: Decodable {
            struct Entry: Decodable {
                var direction: String
                var version: Int
            }
            var history: [Entry]
        }

        @Test func `the schema goes up, down, up again, and its history is kept`() throws {
            let database = try TestCluster.shared.database(isMigrated: false)
            let daemon = try DaemonProcess(databaseURL: database.connectionString)
            let pending = try daemon.run("migrate", "status", "--json")
            #expect(pending.exit == .status(1))
            let count = try pending.report(Status.self).migrations.count
            #expect(count >= 5)

            #expect(try daemon.run("migrate", "up", "--json").report(Changes.self).applied.count == count)
            #expect(try daemon.run("migrate", "up", "--json").report(Changes.self).applied.isEmpty)
            #expect(try daemon.run("migrate", "status").isSuccess)
            let down = try daemon.run("migrate", "down", "--steps", "2", "--json")
            #expect(try down.report(Changes.self).undone.map(\.version) == [count, count - 1])
            #expect(try daemon.run("migrate", "status").exit == .status(1))
            #expect(try daemon.run("migrate", "down", "--steps", "\(count - 2)").isSuccess)
            #expect(try daemon.run("migrate", "up").isSuccess)
            let history = try daemon.run("migrate", "history", "--json").report(History.self).history
            #expect(history.count == 3 * count)
            #expect(history.count { $0.direction == "down" } == count)
        }

        @Test func `a reset wants a yes, and then all is empty`() throws {
            let installation = try Installation()
            let daemon = installation.daemon
            try daemon.start()
            let events = EventFactory(seed: 51).lines(0..<20)
            #expect(try HTTPClient(daemon.http).postEvents(events, query: "?ack=committed").status == 200)
            #expect(try daemon.stop() == .status(0))
            let refused = try daemon.run("migrate", "reset")
            #expect(refused.exit == .status(1))
            #expect(refused.errors.contains("--yes"))
            #expect(try installation.auditor.rows == 20)
            #expect(try daemon.run("migrate", "reset", "--yes").isSuccess)
            #expect(try installation.auditor.rows == 0)
            #expect(try daemon.run("migrate", "status").isSuccess)
        }

        @Test func `a reset takes the spool with it, unless it is told to leave it`() throws {
            let installation = try Installation()
            let daemon = installation.daemon
            func send(_ range: Range<Int>) throws {
                let events = EventFactory(seed: 52).lines(range)
                #expect(try HTTPClient(daemon.http).postEvents(events, query: "?ack=committed").status == 200)
            }
            try daemon.start()
            try send(0..<20)
            let running = try daemon.run("migrate", "reset", "--yes")
            #expect(running.exit == .status(1))
            #expect(running.errors.contains("uses this spool"), "\(running.errors)")
            #expect(try installation.auditor.rows == 20)
            #expect(try daemon.stop() == .status(0))

            let refused = try daemon.run("migrate", "reset")
            #expect(
                refused.errors.contains("20 lines") && refused.errors.contains(daemon.directory), "\(refused.errors)")
            let kept = try daemon.run("migrate", "reset", "--yes", "--keep-spool")
            #expect(kept.isSuccess, "\(kept.output) \(kept.errors)")
            try daemon.start()
            #expect(try eventually { try installation.auditor.rows == 20 })
            #expect(try daemon.stop() == .status(0))

            let other = try TestCluster.shared.database("reset of another database").connectionString
            let strange = try daemon.run(
                "migrate", "reset", "--yes", "--set", "database.url=\(other)")
            #expect(strange.isSuccess && strange.output.contains("left: the spool in"), "\(strange.output)")
            #expect(try daemon.run("verify").isSuccess)

            let run = try daemon.run("migrate", "reset", "--yes")
            #expect(run.isSuccess && run.output.contains("removed from the spool"), "\(run.output) \(run.errors)")
            try daemon.start()
            try send(20..<25)
            #expect(try installation.auditor.rows == 5)
            #expect(try daemon.run("verify").isSuccess)
            #expect(try daemon.stop() == .status(0))
        }
    }
}
