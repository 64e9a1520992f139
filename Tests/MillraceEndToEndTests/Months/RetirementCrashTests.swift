import Glibc
import MillracePostgres
import MillraceTestSupport
import Testing

extension EndToEnd {
    /// Few rows here; `make months-test` runs it with a million of them a month.
    struct RetirementCrashTests {
        private static let rows = Environment.integer("MILLRACE_MONTH_ROWS") ?? 300
        private static let rate = Environment.integer("MILLRACE_MONTH_RATE") ?? 200
        private static let kills = 20

        /// Out, and back again.
        private static let out = ["sealing", "detaching", "detached", "archived", "verified", "dropped"]
        private static let back = ["restoring", "attaching", "restored", "live"]

        @Test func `months are retired and restored with kill -9 at any point while events come, and no row is lost`()
            throws
        {
            var random = SeededGenerator(seed: SeededGenerator.seed("MILLRACE_MONTH_SEED"))
            let months = try RetiredMonths(
                months: 3,
                settings: ["archive.part_bytes": Self.rows > 10_000 ? "\"64MiB\"" : "\"64KiB\"", "archive.level": "1"])
            for start in stride(from: 0, to: Self.rows, by: 5000) {
                try months.fill(min(5000, Self.rows - start), saves: start == 0 ? 5 : 0, from: start)
            }
            let filled = try months.auditor.rows
            let before = try months.projections()
            let intake = MonthIntake(months, perSecond: Self.rate)

            var kills = 0
            while kills < Self.kills {
                for (command, states) in [("retire", Self.out), ("restore", Self.back)] {
                    for _ in 0..<Int.random(in: 2...4, using: &random) where kills < Self.kills {
                        let state = states.randomElement(using: &random) ?? ""
                        if try kill(months, command, at: state, after: UInt32.random(in: 0...60_000, using: &random)) {
                            kills += 1
                        }
                    }
                    // What was killed is gone on with.
                    _ = try months.run(command, options: command == "restore" ? ["--writable"] : [])
                    try months.auditor.verify(months.daemon)
                }
            }

            _ = try months.run("retire")
            #expect(
                try months.auditor.integer(
                    "SELECT count(*) FROM public.partition_months WHERE state = 'dropped'") == 6)
            let (sent, refused, wait) = try intake.stop()
            print(
                "months: \(kills) kills, \(sent) events meanwhile, \(refused) refused, longest wait of a writer \(wait) s"
            )
            #expect(refused == 0)
            #expect(sent > 0)
            _ = try months.run("restore", options: ["--writable"])
            let total = filled + sent
            #expect(
                try eventually {
                    let letters = try months.auditor.integer(
                        "SELECT count(*) FROM public.dead_letters WHERE state = 'open'")
                    return try months.auditor.rows + letters == total
                })
            #expect(try months.auditor.strings("SELECT DISTINCT code FROM public.dead_letters") == ["month_retired"])
            #expect(try months.daemon.run("dead-letters", "retry", "--all").isSuccess)
            #expect(try months.auditor.rows == total)
            try months.auditor.verify(months.daemon)
            #expect(try months.projections() == before)
            for pack in ["analytics", "conversations"] {
                #expect(try months.daemon.run("projections", "verify", pack).isSuccess)
            }
        }

        /// Begins the command, and kills it once a month is at `state` and a little later. False when it had ended before.
        private func kill(
            _ months: RetiredMonths, _ command: String, at state: String, after microseconds: UInt32
        ) throws -> Bool {
            let output = months.daemon.directory + "/killed.txt"
            let process = try SpawnedProcess(
                MillraceBinary.path,
                ["partitions", command] + months.months.map(\.label) + ["--config", months.daemon.configuration],
                mark: months.daemon.configuration, output: output, errors: output)
            let connection = try months.mishap.installation.database.connect()
            _ = try eventually(within: .seconds(300)) {
                let isThere = try connection.execute(
                    "SELECT EXISTS (SELECT FROM public.partition_months WHERE state = '\(state)')"
                ).bool(0, 0)
                return isThere == true || !process.isRunning
            }
            usleep(microseconds)
            guard process.isRunning else { return false }
            process.signal(SIGKILL)
            try process.waitForExit(within: .seconds(20))
            return true
        }
    }
}
