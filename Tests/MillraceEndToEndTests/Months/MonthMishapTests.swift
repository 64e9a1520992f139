import Glibc
import MillracePostgres
import MillraceTestSupport
import Testing

extension EndToEnd {
    /// What happens to months while they leave and come back.
    struct MonthMishapTests {
        /// Of the events with an odd number, and of all saves.
        private static let user = "0196a1b2-0000-7000-8000-000000000001"

        @Test func `a user who was erased while a month was away is not in it when it comes back`() throws {
            let months = try RetiredMonths()
            try months.fill(50)
            _ = try months.run("retire")
            let run = try months.daemon.run("users", "erase", Self.user, "--yes", "--quiet")
            #expect(run.isSuccess, "\(run.output)\(run.errors)")
            #expect(try months.run("restore").months.map(\.state) == ["restored", "restored"])
            #expect(try months.auditor.events == 50)
            #expect(try months.auditor.conversations == 0)
            for leaf in PartitionedTable.allCases.map({ $0.partitionName(months.months[0]) }) {
                #expect(
                    try months.auditor.integer("SELECT count(*) FROM \(leaf) AS r WHERE r::text LIKE '%\(Self.user)%'")
                        == 0)
            }
            #expect(
                try months.auditor.integer("SELECT count(*) FROM public.analytics_events WHERE user_id IS NULL") == 5)
            for pack in ["analytics", "conversations"] {
                let verify = try months.daemon.run("projections", "verify", pack)
                #expect(verify.isSuccess, "\(verify.output)")
            }
            try months.auditor.verify(months.daemon)

            // Retired anew, the archive has the user no more.
            _ = try months.run("retire")
            #expect(try months.manifest(.conversations, months.months[0]).rows == 0)
            _ = try months.run("restore")
            #expect(try months.auditor.rows == 50)
        }

        @Test(.enabled(if: SmallDisk.isPermitted, "mounting a tmpfs wants root"))
        func `an archive whose disk is full midway leaves the month, and goes on when there is room`() throws {
            let disk = try SmallDisk(bytes: 1 << 20)
            let ballast = disk.path + "/ballast"
            let months = try RetiredMonths(
                settings: ["archive.directory": "\"\(disk.path)/archive\"", "archive.part_bytes": "\"64KiB\""])
            try months.fill(2000)
            let before = try months.contents()
            // Room for a part or two.
            try TextFile.write([UInt8](repeating: 0, count: (1 << 20) - (48 << 10)), to: ballast)
            let failed = try months.fail("retire")
            let error = try #require(failed.months.first { $0.table == "analytics_events" }?.error)
            #expect(error.contains("archive_disk") && error.contains("archive.directory"), "\(error)")
            #expect(try months.state(.analyticsEvents, months.months[0]) == "detached")
            #expect(try months.auditor.integer("SELECT count(*) FROM public.analytics_events_y\(leaf(months))") == 2000)
            try months.auditor.verify(months.daemon)

            unlink(ballast)
            #expect(try months.run("retire").months.map(\.state) == ["dropped", "dropped"])
            #expect(try months.run("restore").months.map(\.state) == ["restored", "restored"])
            #expect(try months.contents() == before)
            withExtendedLifetime(disk) {}
        }

        /// `2026m10`
        private func leaf(_ months: RetiredMonths) -> String {
            months.months[0].label.replacing("-", with: "m")
        }

        @Test func `PostgreSQL stopped amid a way out and a way back loses nothing, and both go on`() throws {
            let store = try ScratchDirectory()
            let gate = store.path + "/gate"
            let wait = "while test -e \(gate); do sleep 0.05; done"
            let months = try RetiredMonths(
                cluster: try TestCluster(isDurable: true),
                settings: [
                    "archive.command": "'\(wait); mkdir -p $(dirname \(store.path)/%f) && cp %p \(store.path)/%f'",
                    "archive.fetch_command": "'\(wait); cp \(store.path)/%f %p'",
                ])
            try months.fill(200)
            let before = (rows: try months.contents(), projections: try months.projections())
            for (command, stage, goal) in [("retire", "detached", "dropped"), ("restore", "restoring", "restored")] {
                try TextFile.write("", to: gate)
                let process = try months.start(command, output: store.path + "/output.txt")
                #expect(try eventually { try months.state(.analyticsEvents, months.months[0]) == stage })
                try months.mishap.installation.cluster.stopImmediately()
                unlink(gate)
                #expect(try process.waitForExit(within: .seconds(60)) == .status(1))
                try months.mishap.installation.cluster.start()
                try months.daemon.waitUntil("/readyz")
                try months.mishap.waitForHealth()
                #expect(try months.run(command).months.map(\.state) == [goal, goal])
                #expect(try months.projections() == before.projections)
                try months.auditor.verify(months.daemon)
            }
            #expect(try months.contents() == before.rows)
        }

        @Test func `a rebuild takes over what a retired month counted, or refuses, and verify says what it leaves out`()
            throws
        {
            let months = try RetiredMonths()
            try months.fill(100)
            let before = try months.projections()
            _ = try months.run("retire")
            #expect(try months.mishap.post(Mishap.events(7, "past"), isAwaited: true).status == 200)
            let rebuild = try months.daemon.run("projections", "rebuild", "analytics", "--quiet")
            #expect(rebuild.isSuccess, "\(rebuild.output)\(rebuild.errors)")
            #expect(try months.projections().count == before.count + 1)
            #expect(try Set(before).isSubset(of: months.projections()))
            let verify = try months.daemon.run("projections", "verify", "analytics")
            #expect(
                verify.isSuccess && verify.output.contains("not counted, retired: \(months.months[0].label)"),
                "\(verify.output)")
            // An entity is of no month.
            let refused = try months.daemon.run("projections", "rebuild", "conversations", "--quiet")
            #expect(refused.exit == .status(1) && refused.errors.contains("sealed_months"), "\(refused.errors)")
            #expect(try months.daemon.run("projections", "verify", "conversations").isSuccess)

            _ = try months.run("restore")
            let whole = try months.daemon.run("projections", "verify", "analytics")
            #expect(whole.isSuccess && !whole.output.contains("not counted"), "\(whole.output)")
        }

        @Test func `archive.command is tried again, and one that hangs is ended`() throws {
            let store = try ScratchDirectory()
            let months = try RetiredMonths(
                settings: [
                    "archive.command_tries": "3", "archive.command_timeout": "\"1s\"",
                    // The first try of each file fails, the second one hangs.
                    "archive.command":
                        """
                    'n=$(basename %f).$(echo %f | cksum | tr -dc 0-9); if test ! -e \(store.path)/$n.1; then \
                    touch \(store.path)/$n.1; exit 7; elif test ! -e \(store.path)/$n.2; then touch \(store.path)/$n.2; \
                    sleep 60; fi; mkdir -p $(dirname \(store.path)/%f) && cp %p \(store.path)/%f'
                    """,
                    "archive.fetch_command": "'cp \(store.path)/%f %p'",
                ])
            try months.fill(20)
            let before = try months.contents()
            #expect(try months.run("retire").months.map(\.state) == ["dropped", "dropped"])
            _ = try months.run("restore")
            #expect(try months.contents() == before)
        }

        @Test func `a DETACH that a reader holds up is ended by FINALIZE the next time`() throws {
            let months = try RetiredMonths(settings: ["partitions.detach_wait": "\"1s\""])
            try months.fill(20, saves: 0)
            let month = months.months[0]
            let reader = try months.mishap.installation.database.connect()
            try reader.execute("BEGIN ISOLATION LEVEL REPEATABLE READ; SELECT count(*) FROM analytics_events")
            let failed = try months.fail("retire")
            #expect(failed.months.first?.error?.contains("55P03") == true, "\(failed)")
            let pending = "SELECT count(*) FROM pg_inherits WHERE inhdetachpending"
            let list = try months.daemon.run("partitions", "list").output
            #expect(
                try months.auditor.integer(pending) == 1 && list.contains("partitions retire \(month.label)"), "\(list)"
            )
            // Rows go on coming in for other months, and are not lost for this one.
            #expect(try months.mishap.post(Mishap.events(5), isAwaited: true).status == 200)
            #expect(try months.mishap.post([RetiredMonths.event(90, in: month)], isAwaited: true).status == 200)
            try months.auditor.verify(months.daemon)
            try reader.execute("ROLLBACK")
            #expect(try months.run("retire").months.allSatisfy { $0.state == "dropped" })
            #expect(try months.auditor.integer(pending) == 0)
            #expect(try months.manifest(.analyticsEvents, month).rows == 20)
            try months.auditor.verify(months.daemon)
        }

        @Test func `beside a default partition, which forbids CONCURRENTLY, the DETACH is a plain one`() throws {
            let months = try RetiredMonths()
            try months.fill(20, saves: 0)
            try months.mishap.execute("CREATE TABLE others PARTITION OF analytics_events DEFAULT")
            #expect(try months.run("retire").months.allSatisfy { $0.state == "dropped" })
            #expect(try months.manifest(.analyticsEvents, months.months[0]).rows == 20)
            _ = try months.run("restore")
            #expect(try months.auditor.events == 20)
            try months.auditor.verify(months.daemon)
        }
    }
}
