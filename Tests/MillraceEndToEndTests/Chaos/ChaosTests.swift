import MillraceTestSupport
import Testing

extension EndToEnd {
    struct ChaosTests {
        /// Runs beside each other, each with a daemon and a cluster of its own; together they do what is planned.
        private static let runs = 2

        /// `MILLRACE_CHAOS_ROUNDS` and `MILLRACE_CHAOS_SEED` say how many rounds, and which.
        private static let plan = ChaosPlan(
            rounds: max(runs, Environment.integer("MILLRACE_CHAOS_ROUNDS") ?? 20),
            seed: SeededGenerator.seed("MILLRACE_CHAOS_SEED"))

        @Test(.startsFirst, arguments: 0..<runs)
        func `whatever is killed or cut, every acked event is in the tables exactly once`(number: Int) throws {
            let plan = Self.plan
            var run = try ChaosRun(seed: plan.seed &* UInt64(Self.runs) &+ UInt64(number))
            defer { #expect(throws: Never.self) { try run.stop() } }
            try run.installation.daemon.start()
            for round in stride(from: number, to: plan.rounds.count, by: Self.runs) {
                let faults = plan.rounds[round]
                let started = ContinuousClock.now
                do {
                    try run.round(faults)
                } catch {
                    Issue.record("round \(round) of seed \(plan.seed), \(faults): \(error)")
                    return
                }
                print("chaos round \(round + 1) of \(plan.rounds.count): \(faults) in \(ContinuousClock.now - started)")
            }
            try run.expectVerifyToSeeChanges()
        }
    }
}
