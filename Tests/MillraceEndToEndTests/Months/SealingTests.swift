import MillraceEvent
import MillracePostgres
import MillraceTestSupport
import Testing

extension EndToEnd {
    /// A month leaves only after every daemon has put in what it had acknowledged for it.
    struct SealingTests {
        /// Another daemon on the same database, whose connections go through a proxy.
        private struct Second {
            let daemon: DaemonProcess
            let spool: UniqueID

            init(_ months: RetiredMonths, databaseURL: String? = nil, settings: [String: String] = [:]) throws {
                let url = databaseURL ?? months.mishap.installation.database.connectionString
                let known = try Self.spools(months)
                daemon = try DaemonProcess(
                    databaseURL: url,
                    settings: [
                        "database.retry_min": "\"20ms\"", "database.retry_max": "\"200ms\"",
                        "database.batch_lock_timeout": "\"200ms\"",
                    ].merging(settings) { $1 })
                try daemon.start()
                try daemon.waitUntil("/readyz")
                var own: Set<String> = []
                guard
                    try eventually({
                        own = try Self.spools(months).subtracting(known)
                        return own.count == 1
                    }), let spool = own.first.flatMap({ UniqueID($0) })
                else { throw TestSupportError(message: "the second daemon does not tell of itself") }
                self.spool = spool
            }

            private static func spools(_ months: RetiredMonths) throws -> Set<String> {
                Set(try months.auditor.strings("SELECT spool_id FROM public.daemons"))
            }

            /// Its writer waits for a session of its own, until the connection is closed.
            func blockWriter(_ months: RetiredMonths) throws -> PostgresConnection {
                let blocker = try months.mishap.installation.database.connect()
                try blocker.execute("SELECT pg_advisory_lock(\(AdvisoryLockKeys(spool: spool).writerKey), 0)")
                return blocker
            }

            /// Acknowledged, and in no table.
            func hold(_ numbers: Range<Int>, of month: PartitionMonth) throws {
                let lines = numbers.map { RetiredMonths.event($0, in: month) }
                let answer = try HTTPClient(daemon.http).postEvents(Array((lines.joined(separator: "\n") + "\n").utf8))
                guard answer.status == 202 else { throw TestSupportError(message: "\(answer.status) \(answer.text)") }
            }
        }

        @Test func `what another daemon holds goes in first, and the command says whom it waits for`() throws {
            let months = try RetiredMonths()
            try months.fill(20, saves: 0)
            let month = months.months[0]
            let second = try Second(months, settings: ["database.writers": "1"])
            let blocker = try second.blockWriter(months)
            try second.hold(100..<130, of: month)

            let short = try months.fail("retire", options: ["--set", "partitions.seal_wait=1s"])
            let reason = try #require(short.months.first { $0.table == "analytics_events" }?.error)
            #expect(reason.contains("month_waiting") && reason.contains("\(second.spool)"), "\(reason)")
            #expect(reason.contains("partitions.seal_wait"), "\(reason)")
            #expect(try months.state(.analyticsEvents, month) == "sealing")
            #expect(try months.auditor.events == 20)

            let output = months.daemon.directory + "/retire.txt"
            let command = try months.start("retire", output: output)
            #expect(eventually { TextFile.read(output).contains("waits for") || !command.isRunning })
            #expect(command.isRunning && TextFile.read(output).contains("\(second.spool)"), "\(TextFile.read(output))")
            #expect(try months.state(.analyticsEvents, month) == "sealing")
            blocker.close()
            #expect(try command.waitForExit(within: .seconds(60)) == .status(0), "\(TextFile.read(output))")
            #expect(try months.manifest(.analyticsEvents, month).rows == 50)
            #expect(try months.auditor.integer("SELECT count(*) FROM public.dead_letters") == 0)
            try months.auditor.verify(months.daemon)
        }

        @Test func `a daemon that is away is named, and nothing is detached before it came back`() throws {
            let months = try RetiredMonths(settings: ["partitions.seal_wait": "\"20s\""])
            try months.fill(20, saves: 5)
            let month = months.months[0]
            let second = try Second(months, settings: ["database.writers": "1"])
            let blocker = try second.blockWriter(months)
            try second.hold(100..<110, of: month)
            try second.daemon.kill()
            blocker.close()

            let failed = try months.fail("retire")
            for report in failed.months {
                let error = try #require(report.error)
                #expect(report.state == "sealing" && error.contains("month_waiting"), "\(report)")
                #expect(error.contains("is away since") && error.contains("--forget \(second.spool)"), "\(error)")
                #expect(error.contains("--without-spool \(second.spool)"), "\(error)")
            }
            let list = try months.daemon.run("partitions", "list").output
            #expect(list.contains("is away since") && list.contains("partitions retire \(month.label)"), "\(list)")
            #expect(try months.auditor.rows == 25)

            try second.daemon.start()
            #expect(try months.run("retire").months.map(\.state) == ["dropped", "dropped"])
            #expect(try months.manifest(.analyticsEvents, month).rows == 30)
            #expect(try months.auditor.integer("SELECT count(*) FROM public.dead_letters") == 0)
            try months.auditor.verify(months.daemon)
        }

        @Test func `whoever goes on without a spool finds its rows as dead letters, and in the audit log`() throws {
            let months = try RetiredMonths(settings: ["partitions.seal_wait": "\"1s\""])
            try months.fill(20, saves: 0)
            let month = months.months[0]
            let second = try Second(months, settings: ["database.writers": "1"])
            let blocker = try second.blockWriter(months)
            try second.hold(100..<110, of: month)
            try second.daemon.kill()
            blocker.close()

            let options = ["--without-spool", "\(second.spool)"]
            #expect(try months.run("retire", options: options).months.allSatisfy { $0.state == "dropped" })
            #expect(
                try months.auditor.integer(
                    """
                    SELECT count(*)
                    FROM public.audit_log
                    WHERE action = 'partition.retire' AND after->'without_spools' ? '\(second.spool)'
                    """) > 0)
            try second.daemon.start()
            #expect(
                try eventually {
                    try months.auditor.integer("SELECT count(*) FROM public.dead_letters WHERE code = 'month_retired'")
                        == 10
                })
            #expect(try months.run("restore", options: ["--writable"]).months.allSatisfy { $0.state == "live" })
            #expect(try months.daemon.run("dead-letters", "retry", "--all").isSuccess)
            #expect(try months.auditor.events == 30)
            try months.auditor.verify(months.daemon)
        }

        @Test func `a daemon that was forgotten, or stopped with nothing left, is not waited for`() throws {
            let months = try RetiredMonths(settings: ["partitions.seal_wait": "\"1s\""])
            try months.fill(10, saves: 0)
            let (killed, stopped) = (try Second(months), try Second(months))
            try killed.daemon.kill()
            #expect(try stopped.daemon.stop() == .status(0))
            let error = try months.fail("retire").months.compactMap(\.error).joined()
            #expect(error.contains("\(killed.spool)") && !error.contains("\(stopped.spool)"), "\(error)")
            #expect(try months.daemon.run("status", "--forget", "\(killed.spool)").isSuccess)
            #expect(try months.run("retire").months.allSatisfy { $0.state == "dropped" })
            try months.auditor.verify(months.daemon)
        }

        @Test func `the daemon waits for others by itself, says so, and goes on once they are back`() throws {
            let months = try RetiredMonths(
                settings: [
                    "partitions.maintenance_interval": "\"1s\"", "partitions.seal_wait": "\"1s\"",
                    "partitions.retain": "\"analytics_events=1d\"",
                ])
            let month = months.months[0]
            let second = try Second(months)
            try second.daemon.kill()
            try months.fill(30)
            #expect(
                try eventually {
                    try months.auditor.integer(
                        "SELECT count(*) FROM public.partition_months WHERE state = 'sealing' AND error LIKE '%\(second.spool)%'"
                    ) == 1
                })
            #expect(eventually { months.daemon.log.contains("month not retired") })
            try second.daemon.start()
            #expect(try eventually { try months.state(.analyticsEvents, month) == "dropped" })
            #expect(try months.manifest(.analyticsEvents, month).rows == 30)
        }
    }
}
