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

            /// `directory`: where the data lies; nil: a scratch directory.
            init(in directory: String? = nil) throws {
                scratch = try ScratchDirectory()
                data = (directory ?? scratch.path) + "/data"
                // Where PostgreSQL runs as another user, that one has to get at the archive.
                chmod(directory ?? scratch.path, 0o755)
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

            /// A run with a base backup, and 20 events before and after the time that it returns.
            func run(_ events: EventFactory) throws -> String {
                try start()
                #expect(try daemon.run("backup", "--base", "--quiet").isSuccess)
                try post(events, 0..<20)
                let time = moment()
                try post(events, 20..<40)
                #expect(try daemon.stop() == .status(0))
                return time
            }

            /// A whole second between what was committed before and what will be: `2026-11-30T10:04:59Z`.
            func moment() -> String {
                let second = Timestamp(microseconds: (Timestamp.now.microseconds / 1_000_000 + 1) * 1_000_000)
                #expect(eventually(within: .seconds(5)) { Timestamp.now > second.advanced(by: .milliseconds(10)) })
                return second.rfc3339.replacing(".000000", with: "")
            }

            var cluster: EmbeddedCluster { EmbeddedCluster(directory: data) }

            func strings(_ sql: String) throws -> [String] {
                let rows = try PostgresConnection(
                    connectionString: cluster.connectionString, applicationName: "test", connectTimeout: .seconds(30),
                    interrupt: PostgresInterrupt()
                ).execute(sql)
                return (0..<rows.rowCount).map { rows.string($0, 0) ?? "NULL" }
            }

            /// Every row of these lines, and no other.
            func expectExactly(_ lines: [UInt8], sourceLocation: SourceLocation = #_sourceLocation) throws {
                let database = TestDatabase(name: "millrace", connectionString: cluster.connectionString)
                let input = try InputTable(lines, database: database)
                #expect(try input.missingEvents() == 0, sourceLocation: sourceLocation)
                #expect(try input.missingConversations() == 0, sourceLocation: sourceLocation)
                #expect(try input.foreignEvents() == 0, sourceLocation: sourceLocation)
                #expect(try rows == lines.count { $0 == UInt8(ascii: "\n") }, sourceLocation: sourceLocation)
            }

            /// Runs `restore`, and kills it as soon as `condition` holds: it runs for moments between two looks, so that a
            /// busy machine does not get to its end unseen.
            func killRestore(_ arguments: [String], when condition: () -> Bool) throws {
                let process = try SpawnedProcess(
                    MillraceBinary.path,
                    ["restore", "--quiet"] + arguments + ["--config", daemon.configuration], mark: daemon.configuration,
                    output: scratch.path + "/out", errors: scratch.path + "/err")
                let end = ContinuousClock.now.advanced(by: .seconds(60))
                var isThere = false
                while !isThere, process.isRunning, ContinuousClock.now < end {
                    process.signal(SIGCONT)
                    usleep(2000)
                    process.signal(SIGSTOP)
                    isThere = condition()
                }
                process.signal(SIGKILL)
                let said = TextFile.read(scratch.path + "/err")
                #expect(try isThere && process.waitForExit(within: .seconds(20)) == .signal(SIGKILL), "\(said)")
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
            try embedded.expectExactly(events.lines(0..<250))
            #expect(try daemon.run("verify").isSuccess)

            // Again, from the same base backup: the log goes on over both timelines.
            #expect(try daemon.stop() == .status(0))
            let again = try embedded.restore("--to", "latest", "--spool", "aside")
            #expect(again.isSuccess, "\(again.errors)\(again.output)")
            #expect(try again.report(Report.self).rows == 250)
            try embedded.start()
            try embedded.expectExactly(events.lines(0..<250))
            #expect(try daemon.stop() == .status(0))
        }

        @Test func `a time that was left too far behind is reached in a second try, with all that came by then`() throws
        {
            let embedded = try Embedded()
            let (daemon, events) = (embedded.daemon, EventFactory(seed: 1713))
            try embedded.start()
            #expect(try daemon.run("backup", "--base", "--quiet").isSuccess)
            try embedded.post(events, 0..<20)
            let early = embedded.moment()
            try embedded.post(events, 20..<40)
            let late = embedded.moment()
            try embedded.post(events, 40..<60)
            #expect(try daemon.stop() == .status(0))
            for (time, count) in [(early, 20), (late, 40)] {
                let restored = try embedded.restore("--to", time, "--spool", "aside")
                #expect(restored.isSuccess, "\(time): \(restored.errors)\(restored.output)")
                try embedded.start()
                try embedded.expectExactly(events.lines(0..<count))
                #expect(try daemon.stop() == .status(0))
            }
        }

        @Test func `a restore that is killed leaves the cluster as it was, and the next one is right`() throws {
            let embedded = try Embedded()
            let (daemon, events) = (embedded.daemon, EventFactory(seed: 1714))
            let time = try embedded.run(events)
            let fresh = embedded.cluster.directory + "/postgres/data.recovering"
            let arguments = ["--to", time, "--spool", "aside"]
            // While it copies, while it replays, and once the copy is on a timeline of its own.
            try embedded.killRestore(arguments) { FileManager.default.fileExists(atPath: fresh + "/PG_VERSION") }
            try embedded.killRestore(arguments) { FileManager.default.fileExists(atPath: fresh + "/postmaster.pid") }
            try embedded.start()
            try embedded.expectExactly(events.lines(0..<40))
            #expect(try daemon.stop() == .status(0))
            try embedded.killRestore(arguments) {
                let names = (try? FileManager.default.contentsOfDirectory(atPath: fresh + "/pg_wal")) ?? []
                return names.contains("00000002.history")
            }
            let restored = try embedded.restore("--to", "latest", "--spool", "aside")
            #expect(restored.isSuccess, "\(restored.errors)\(restored.output)")
            try embedded.start()
            try embedded.expectExactly(events.lines(0..<40))
            #expect(try daemon.stop() == .status(0))
        }

        @Test func `a base backup that is killed leaves no program behind, and the next one is made at once`() throws {
            let embedded = try Embedded()
            try embedded.start()
            try embedded.post(EventFactory(seed: 1719), 0..<20)
            let process = try SpawnedProcess(
                MillraceBinary.path, ["backup", "--base", "--quiet", "--config", embedded.daemon.configuration],
                mark: embedded.daemon.configuration, output: embedded.scratch.path + "/out",
                errors: embedded.scratch.path + "/err")
            let senders = "SELECT count(*) FROM pg_stat_replication WHERE application_name = 'pg_basebackup'"
            // Its second process has the log sent to it, and does not see the end of the first one.
            let isStreaming = eventually(within: .seconds(60)) { (try? embedded.strings(senders)) == ["2"] }
            #expect(isStreaming)
            process.signal(SIGKILL)
            try process.waitForExit(within: .seconds(20))
            let next = try embedded.daemon.run("backup", "--base", "--quiet")
            #expect(next.isSuccess, "\(next.errors)")
            #expect(try embedded.strings(senders) == ["0"])
            #expect(try embedded.daemon.run("backup", "verify").isSuccess)
            #expect(try embedded.daemon.stop() == .status(0))
        }

        @Test(.enabled(if: SmallDisk.isPermitted, "mounting a tmpfs wants root"))
        func `a disk that is full ends a restore with that reason, and leaves the cluster as it was`() throws {
            let disk = try SmallDisk(bytes: 700 << 20)
            let embedded = try Embedded(in: disk.path)
            let (daemon, events) = (embedded.daemon, EventFactory(seed: 1718))
            let time = try embedded.run(events)
            let ballast = try disk.fill(leaving: 8 << 20)
            let failed = try embedded.restore("--to", time, "--spool", "aside")
            #expect(failed.exit == .status(1))
            #expect(failed.errors.contains("backup_no_space"), "\(failed.errors)")
            #expect(failed.errors.contains("MiB free") && failed.errors.contains("Make room"), "\(failed.errors)")
            unlink(ballast)
            try embedded.start()
            try embedded.expectExactly(events.lines(0..<40))
            #expect(try daemon.stop() == .status(0))
            let restored = try embedded.restore("--to", time, "--spool", "aside")
            #expect(restored.isSuccess, "\(restored.errors)\(restored.output)")
            try embedded.start()
            try embedded.expectExactly(events.lines(0..<20))
            #expect(try daemon.stop() == .status(0))
            withExtendedLifetime(disk) {}
        }

        @Test(arguments: ["replay", "aside"])
        func `who was erased after the time stays erased`(spool: String) throws {
            let embedded = try Embedded()
            let daemon = embedded.daemon
            try embedded.start()
            #expect(try daemon.run("backup", "--base", "--quiet").isSuccess)
            let user = "5b1f0c52-7a44-4d0e-9c57-3a3e0a4cfe12"
            let lines = #"{"event_type":"a","user_id":"\#(user)"}"# + "\n" + #"{"event_type":"kept"}"# + "\n"
            #expect(try HTTPClient(daemon.http).postEvents(Array(lines.utf8), query: "?ack=committed").status == 200)
            let time = embedded.moment()
            let erased = try daemon.run("users", "erase", user, "--yes", "--quiet")
            #expect(erased.isSuccess, "\(erased.errors)")
            #expect(try daemon.stop() == .status(0))
            let restored = try embedded.restore("--to", time, "--spool", spool)
            #expect(restored.isSuccess && restored.output.contains("\"erasures\" : 1"), "\(restored.output)")
            try embedded.start()
            let isDone = eventually(within: .seconds(60)) {
                (try? embedded.strings("SELECT state FROM public.erasures WHERE source = 'replay'")) == ["done"]
            }
            #expect(isDone, "\(daemon.log.suffix(2000))")
            let named = "SELECT count(*) FROM public.analytics_events AS e WHERE e::text LIKE '%\(user)%'"
            #expect(try embedded.strings(named) == ["0"])
            #expect(try embedded.rows == 2)
            #expect(try daemon.stop() == .status(0))
        }

        @Test func `status --database tells slow queries of the embedded database without a hand`() throws {
            let embedded = try Embedded()
            try embedded.start()
            let run = try embedded.daemon.run("status", "--database")
            #expect(!run.output.contains("pg_stat_statements is not there"), "\(run.output)\(run.errors)")
            #expect(
                try embedded.strings("SELECT extname FROM pg_extension WHERE extname = 'pg_stat_statements'")
                    == ["pg_stat_statements"])
            #expect(try embedded.daemon.stop() == .status(0))
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
