import FoundationEssentials
import Glibc
import MillracePostgres
import MillraceTestSupport
import Testing

extension EndToEnd {
    /// Months that are out of their tables, in a backup and after its restore.
    struct BackupMonthTests {
        private func emptyDatabase(_ months: RetiredMonths) throws {
            let installation = months.mishap.installation
            let superuser = try installation.cluster.superuser()
            try superuser.execute("DROP DATABASE \(installation.database.name) WITH (FORCE)", timeout: .seconds(60))
            try superuser.execute(
                "CREATE DATABASE \(installation.database.name) OWNER millrace", timeout: .seconds(60))
        }

        private func installation(
            _ count: Int, _ scratch: ScratchDirectory, _ name: String = #function
        ) throws -> RetiredMonths {
            try RetiredMonths(
                name, months: count,
                settings: ["backup.directory": DaemonSettings.quoted(scratch.path + "/backups")])
        }

        @Test func `a retired month stays retired after a restore, and a detached one is not lost`() throws {
            let scratch = try ScratchDirectory()
            let months = try installation(2, scratch)
            try months.fill(300)
            let before = (rows: try months.contents(), projections: try months.projections())
            let (archived, detached) = (months.months[0], months.months[1])
            #expect(try months.run("retire", months: [archived]).months.map(\.state) == ["dropped", "dropped"])
            #expect(
                try months.run("retire", months: [detached], options: ["--detach-only"]).months.map(\.state)
                    == ["detached", "detached"])
            let backup = try months.daemon.run("backup", "--quiet")
            #expect(backup.isSuccess, "\(backup.errors)")
            try emptyDatabase(months)
            let restored = try months.daemon.run("restore", "--quiet")
            #expect(restored.isSuccess, "\(restored.errors)\(restored.output)")

            for (month, state) in [(archived, "dropped"), (detached, "detached")] {
                #expect(try months.state(.analyticsEvents, month) == state)
                #expect(try months.state(.conversations, month) == state)
            }
            #expect(try months.auditor.rows == 0)
            #expect(try months.projections() == before.projections)
            try months.mishap.waitForHealth()
            try months.auditor.verify(months.daemon)
            // A late event is told so still.
            try months.mishap.post([RetiredMonths.event(1, in: archived)])
            let isDead = eventually {
                (try? months.auditor.integer("SELECT count(*) FROM public.dead_letters WHERE code = 'month_retired'"))
                    == 1
            }
            #expect(isDead)
            #expect(
                try months.run("restore", months: [archived, detached]).months.allSatisfy {
                    ["restored", "live"].contains($0.state)
                })
            #expect(try months.contents() == before.rows)
            #expect(try months.projections() == before.projections)
        }

        @Test func `a month that is on its way out is whole in a backup, and goes on from there`() throws {
            let scratch = try ScratchDirectory()
            let months = try installation(1, scratch)
            try months.fill(300)
            let before = try months.contents()
            // The detachment waits for this reader, and is interrupted at that.
            let reader = try months.mishap.installation.database.connect()
            try reader.execute("BEGIN; SELECT count(*) FROM public.analytics_events")
            let retire = try SpawnedProcess(
                MillraceBinary.path,
                ["partitions", "retire", months.months[0].label, "--config", months.daemon.configuration],
                mark: months.daemon.configuration, output: scratch.path + "/out", errors: scratch.path + "/err")
            let isPending = try eventually(within: .seconds(30)) {
                try months.auditor.integer("SELECT count(*) FROM pg_inherits WHERE inhdetachpending") == 1
            }
            #expect(isPending)
            let backup = try months.daemon.run("backup", "--quiet")
            #expect(backup.isSuccess, "\(backup.errors)")
            retire.signal(SIGKILL)
            try retire.waitForExit(within: .seconds(20))
            reader.close()
            try emptyDatabase(months)
            let restored = try months.daemon.run("restore", "--quiet")
            #expect(restored.isSuccess, "\(restored.errors)\(restored.output)")
            try months.mishap.waitForHealth()
            #expect(try months.run("retire").months.map(\.state) == ["dropped", "dropped"])
            try months.auditor.verify(months.daemon)
            #expect(try months.run("restore").months.map(\.state) == ["restored", "restored"])
            #expect(try months.contents() == before)
        }

        @Test func `a month is retired while a backup is made, and both are whole`() throws {
            let scratch = try ScratchDirectory()
            let months = try installation(1, scratch)
            try months.fill(300)
            let before = try months.contents()
            let holder = try months.mishap.installation.database.connect()
            try holder.execute("BEGIN; LOCK TABLE public.dead_letters IN ACCESS EXCLUSIVE MODE")
            let backup = try SpawnedProcess(
                MillraceBinary.path, ["backup", "--quiet", "--config", months.daemon.configuration],
                mark: months.daemon.configuration, output: scratch.path + "/out", errors: scratch.path + "/err")
            let isBlocked = try eventually(within: .seconds(60)) {
                try months.auditor.integer(BlockedSessions.count(of: "pg_dump")) > 0
            }
            #expect(isBlocked)
            let retire = try SpawnedProcess(
                MillraceBinary.path,
                ["partitions", "retire", months.months[0].label, "--config", months.daemon.configuration],
                mark: months.daemon.configuration, output: scratch.path + "/retire.out",
                errors: scratch.path + "/retire.err")
            let isWaiting = try eventually(within: .seconds(30)) {
                try months.auditor.strings("SELECT state FROM public.partition_months ORDER BY 1") != []
            }
            #expect(isWaiting)
            holder.close()
            #expect(try backup.waitForExit(within: .seconds(60)) == .status(0))
            #expect(try retire.waitForExit(within: .seconds(60)) == .status(0))
            #expect(try months.auditor.rows == 0)
            try emptyDatabase(months)
            let restored = try months.daemon.run("restore", "--quiet")
            #expect(restored.isSuccess, "\(restored.errors)\(restored.output)")
            try months.mishap.waitForHealth()
            #expect(try months.contents() == before)
            #expect(try months.run("retire").months.map(\.state) == ["dropped", "dropped"])
        }
    }
}
