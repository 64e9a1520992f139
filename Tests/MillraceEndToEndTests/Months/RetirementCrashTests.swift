import Glibc
import MillracePostgres
import MillraceTestSupport
import Testing

extension EndToEnd {
    /// Few rows here; `make months-test` runs it with a million of them a month, and says how far it is.
    struct RetirementCrashTests {
        private static let rows = Environment.integer("MILLRACE_MONTH_ROWS") ?? 300
        private static let rate = Environment.integer("MILLRACE_MONTH_RATE") ?? 200
        private static let kills = isLarge ? 20 : 6
        /// Of one way out or back; with many rows each of them takes minutes.
        private static let killsAtOnce = isLarge ? 4...6 : 2...4
        private static let isLarge = rows > 10_000
        /// A step of many rows is killed amid it, too.
        private static let delayMax = UInt32(60_000 + 4 * rows)
        /// Of one command.
        private static let limit = Duration.seconds(120 + rows / 500)
        /// A writer's for a table, as the watcher sees it; a machine with other tests on it proves nothing.
        private static let longestWait = isLarge ? 1.0 : 10.0

        /// Out, and back again; where the last month is at its goal the command ends, and nothing is left to be killed.
        private static let out = ["sealing", "detaching", "detached", "archived", "verified", "dropped"]
        private static let back = ["restoring", "attaching"]

        @Test func `months are retired and restored with kill -9 at any point while events come, and no row is lost`()
            throws
        {
            let progress = ProgressLines(isShown: Self.isLarge)
            var random = SeededGenerator(seed: SeededGenerator.seed("MILLRACE_MONTH_SEED"))
            let months = try RetiredMonths(
                months: Self.isLarge ? 3 : 1,
                settings: ["archive.part_bytes": Self.isLarge ? "\"64MiB\"" : "\"64KiB\"", "archive.level": "1"])
            let filled = try fill(months, progress)
            let before = try months.projections()
            let intake = MonthIntake(months, perSecond: Self.rate)
            #expect(try months.auditor.integer(MonthIntake.writersQuery) > 0)

            var kills = 0
            while kills < Self.kills {
                for (command, states) in [("retire", Self.out), ("restore", Self.back)] {
                    for _ in 0..<Int.random(in: Self.killsAtOnce, using: &random) where kills < Self.kills {
                        let state = states.randomElement(using: &random) ?? ""
                        let delay = UInt32.random(in: 0...Self.delayMax, using: &random)
                        if try kill(months, command, at: state, after: delay) {
                            kills += 1
                            progress.say("kill \(kills): \(command) at \(state), \(delay / 1000) ms later")
                        }
                    }
                    // What was killed is gone on with.
                    try end(command, months, progress)
                    try months.auditor.verify(months.daemon, within: Self.limit)
                    progress.say("verified")
                }
            }

            try end("retire", months, progress)
            #expect(
                try months.auditor.integer(
                    "SELECT count(*) FROM public.partition_months WHERE state = 'dropped'")
                    == 2 * months.months.count)
            let (sent, refused, wait) = try intake.stop()
            print(
                "months: \(kills) kills, \(sent) events meanwhile, \(refused) refused, longest wait of a writer \(wait) s"
            )
            #expect(refused == 0)
            #expect(sent > 0)
            #expect(wait <= Self.longestWait)
            try end("restore", months, progress)
            try expectAll(months, filled + sent, progress)
            #expect(try months.projections() == before)
            for pack in ["analytics", "conversations"] {
                #expect(try months.daemon.run(["projections", "verify", pack], within: Self.limit).isSuccess)
                progress.say("projections of \(pack) verified")
            }
        }

        /// Returns how many rows there are then.
        private func fill(_ months: RetiredMonths, _ progress: ProgressLines) throws -> Int {
            for start in stride(from: 0, to: Self.rows, by: 5000) {
                try months.fill(
                    min(5000, Self.rows - start), saves: start == 0 ? 5 : 0, from: start, isAwaited: !Self.isLarge)
            }
            let filled = (Self.rows + 5) * months.months.count
            try months.auditor.waitForRows(filled, within: Self.limit)
            progress.say("\(filled) rows in \(months.months.count) months")
            return filled
        }

        private func end(_ command: String, _ months: RetiredMonths, _ progress: ProgressLines) throws {
            _ = try months.run(command, options: command == "restore" ? ["--writable"] : [], within: Self.limit)
            progress.say("\(command) ended")
        }

        /// Every row that was answered is in its table, or a dead letter that then goes in.
        private func expectAll(_ months: RetiredMonths, _ total: Int, _ progress: ProgressLines) throws {
            #expect(
                try eventually(within: Self.limit) {
                    let letters = try months.auditor.integer(
                        "SELECT count(*) FROM public.dead_letters WHERE state = 'open'")
                    return try months.auditor.rows + letters == total
                })
            #expect(try months.auditor.strings("SELECT DISTINCT code FROM public.dead_letters") == ["month_retired"])
            #expect(try months.daemon.run(["dead-letters", "retry", "--all"], within: Self.limit).isSuccess)
            progress.say("dead letters retried")
            #expect(try months.auditor.rows == total)
            try months.auditor.verify(months.daemon, within: Self.limit)
        }

        /// Begins the command, and kills it once a month is at `state` and a little later. False when it had ended before.
        private func kill(
            _ months: RetiredMonths, _ command: String, at state: String, after microseconds: UInt32
        ) throws -> Bool {
            let output = months.daemon.directory + "/killed.txt"
            let process = try months.start(command, output: output)
            let connection = try months.mishap.installation.database.connect()
            _ = try eventually(within: Self.limit) {
                let isThere = try connection.execute(
                    "SELECT EXISTS (SELECT FROM public.partition_months WHERE state = '\(state)')"
                ).bool(0, 0)
                return isThere == true || !process.isRunning
            }
            _ = eventually(within: .microseconds(microseconds)) { !process.isRunning }
            guard process.isRunning else { return false }
            process.signal(SIGKILL)
            try process.waitForExit(within: .seconds(20))
            return true
        }
    }
}

/// Says on standard error how far a test of minutes is.
private struct ProgressLines {
    let isShown: Bool
    private let begun = ContinuousClock.now

    init(isShown: Bool) {
        self.isShown = isShown
    }

    func say(_ what: String) {
        guard isShown else { return }
        let line = Array("months: \(begun.duration(to: .now).components.seconds) s: \(what)\n".utf8)
        _ = write(STDERR_FILENO, line, line.count)
    }
}
