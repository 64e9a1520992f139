import FoundationEssentials
import Glibc
import MillraceEvent
import MillracePostgres
import MillraceTestSupport
import Testing

extension EndToEnd {
    struct PointInTimeTests {
        /// `serve --embedded` that archives its log.
        private final class Embedded {
            let scratch: ScratchDirectory
            let daemon: DaemonProcess
            private let data: String

            init() throws {
                scratch = try ScratchDirectory()
                data = scratch.path + "/data"
                // Where PostgreSQL runs as another user, that one has to get at the archive.
                chmod(scratch.path, 0o755)
                daemon = try DaemonProcess(
                    databaseURL: nil,
                    settings: [
                        "spool.directory": "\"\"", "data.directory": DaemonSettings.quoted(data), "backup.wal": "true",
                        "backup.wal_timeout": "\"1s\"",
                    ], arguments: ["--embedded"], scratch: scratch)
            }

            func start() throws {
                try daemon.start(within: .seconds(120))
                try daemon.waitUntil("/readyz")
            }

            func post(_ events: EventFactory, _ range: Range<Int>) throws {
                let answer = try HTTPClient(daemon.http).postEvents(events.lines(range), query: "?ack=committed")
                #expect(answer.status == 200)
            }

            var rows: Int {
                get throws { try daemon.run("verify", "--json").report(VerifyReport.self).total?.committed ?? 0 }
            }

            func restore(_ arguments: String...) throws -> CommandRun {
                try daemon.run(["restore", "--json", "--quiet"] + arguments)
            }

            /// A time between what was committed before and what will be.
            func moment() -> String {
                let time = Timestamp.now
                #expect(eventually(within: .seconds(5)) { Timestamp.now > time.advanced(by: .milliseconds(20)) })
                return time.advanced(by: .milliseconds(10)).rfc3339
            }
        }

        private struct Report: Decodable {
            var ok: Bool
            var rows: Int
            var kept: [String]
        }

        @Test func `the embedded database goes to a second that is named, and the spool brings the rest back once`()
            throws
        {
            let embedded = try Embedded()
            let (daemon, events) = (embedded.daemon, EventFactory(seed: 1711))
            try embedded.start()
            try embedded.post(events, 0..<100)
            let base = try daemon.run("backup", "--base", "--json", "--quiet")
            #expect(base.isSuccess, "\(base.errors)")
            #expect(try daemon.run("backup", "verify").isSuccess)
            try embedded.post(events, 100..<150)
            let time = embedded.moment()
            try embedded.post(events, 150..<200)

            let running = try embedded.restore("--to", time)
            #expect(
                running.errors.contains("locked") || running.errors.contains("cluster_running"), "\(running.errors)")
            #expect(try daemon.stop() == .status(0))
            let restored = try embedded.restore("--to", time)
            #expect(restored.isSuccess, "\(restored.errors)\(restored.output)")
            let report = try restored.report(Report.self)
            #expect(report.rows == 150)
            #expect(report.kept.count == 1)
            #expect(report.kept.allSatisfy { FileManager.default.fileExists(atPath: $0 + "/PG_VERSION") })

            try embedded.start()
            #expect(try eventually(within: .seconds(60)) { try embedded.rows == 200 })
            try embedded.post(events, 200..<250)
            #expect(try embedded.rows == 250)
            #expect(try daemon.run("verify").isSuccess)

            // Again, from the same base backup: the log goes on over both timelines.
            #expect(try daemon.stop() == .status(0))
            let again = try embedded.restore("--to", "latest", "--spool", "aside")
            #expect(again.isSuccess, "\(again.errors)\(again.output)")
            #expect(try again.report(Report.self).rows == 250)
            try embedded.start()
            #expect(try embedded.rows == 250)
            #expect(try daemon.stop() == .status(0))
        }

        @Test func `what a person undid by mistake comes back, and with the spool set aside nothing that came later`()
            throws
        {
            let embedded = try Embedded()
            let (daemon, events) = (embedded.daemon, EventFactory(seed: 1712))
            try embedded.start()
            try embedded.post(events, 0..<60)
            #expect(try daemon.run("backup", "--base", "--quiet").isSuccess)
            let time = embedded.moment()
            try embedded.post(events, 60..<80)
            #expect(try daemon.stop() == .status(0))
            let restored = try embedded.restore("--to", time, "--spool", "aside")
            #expect(restored.isSuccess, "\(restored.errors)\(restored.output)")
            let report = try restored.report(Report.self)
            #expect(report.rows == 60)
            #expect(report.kept.count == 2)
            try embedded.start()
            try embedded.post(events, 100..<110)
            #expect(try embedded.rows == 70)
            #expect(try daemon.run("verify").isSuccess)
            #expect(try daemon.stop() == .status(0))
        }

        @Test func `a time before every base backup is refused, with the oldest`() throws {
            let embedded = try Embedded()
            try embedded.start()
            let time = embedded.moment()
            #expect(try embedded.daemon.run("backup", "--base", "--quiet").isSuccess)
            #expect(try embedded.daemon.stop() == .status(0))
            let refused = try embedded.restore("--to", time)
            #expect(refused.exit == .status(1))
            #expect(refused.errors.contains("no_base_backup"), "\(refused.errors)")
            #expect(try embedded.restore("--to", "2099-01-01T00:00:00Z").errors.contains("in the future"))
        }
    }
}
