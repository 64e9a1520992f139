import MillraceTestSupport
import Testing

extension EndToEnd {
    struct ChaosTests {
        /// `MILLRACE_CHAOS_ROUNDS` and `MILLRACE_CHAOS_SEED` say how many rounds, and which.
        @Test func `whatever is killed or cut, every acked event is in the tables exactly once`() throws {
            let rounds = Environment.integer("MILLRACE_CHAOS_ROUNDS") ?? 20
            let seed = SeededGenerator.seed("MILLRACE_CHAOS_SEED")
            var random = SeededGenerator(seed: seed &+ 1)
            var run = try ChaosRun(seed: seed)
            defer { #expect(throws: Never.self) { try run.stop() } }
            try run.installation.daemon.start()
            var planned: [ChaosFault] = []
            var mishaps: [ChaosMishap] = []
            for round in 1...max(1, rounds) {
                // Each fault comes before one comes again, and so does each mishap; every third round has two faults.
                var faults: [ChaosFault] = []
                for _ in 0..<(round % 3 == 0 ? 2 : 1) {
                    if planned.isEmpty { planned = ChaosFault.all.shuffled(using: &random) }
                    faults.append(planned.removeLast())
                }
                if mishaps.isEmpty { mishaps = ChaosMishap.allCases.shuffled(using: &random) }
                faults.insert(.mishap(mishaps.removeLast()), at: Int.random(in: 0...faults.count, using: &random))
                let started = ContinuousClock.now
                do {
                    try run.round(faults)
                } catch {
                    Issue.record("round \(round), \(faults): \(error)\n\(run.installation.daemon.log.suffix(4000))")
                    return
                }
                print("chaos round \(round) of \(rounds): \(faults) in \(ContinuousClock.now - started)")
            }
            try run.expectVerifyToSeeChanges()
            // Each of the seven faults came by then, and three of them cut.
            #expect(rounds < 6 || run.proxy.cuts > 0)
        }
    }
}
