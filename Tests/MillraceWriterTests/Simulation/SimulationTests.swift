import FoundationEssentials
import MillraceTestSupport
import Testing

/// `MILLRACE_SIMULATION_STEPS` runs more of them: `make simulate`.
@Suite(.onOwnThreads) struct SimulationTests {
    private static let environment = ProcessInfo.processInfo.environment
    private static let stepsOfRun = 2000
    private static let steps = environment["MILLRACE_SIMULATION_STEPS"].flatMap { Int($0) } ?? 40_000
    private static let firstSeed = environment["MILLRACE_SIMULATION_SEED"].flatMap { UInt64($0) } ?? 1

    @Test func `however it is killed, cut off and failed over, every accepted line is there once and counted once`() {
        for seed in Self.firstSeed..<Self.firstSeed + UInt64(max(1, Self.steps / Self.stepsOfRun)) {
            let (steps, shape) = Self.run(of: seed)
            guard Simulation.violation(of: steps, shape: shape) != nil else { continue }
            let (shortest, violation) = Simulation.shortened(steps, shape: shape, mutation: nil, tries: 2000)
            Issue.record("MILLRACE_SIMULATION_SEED=\(seed), shape \(shape): \(violation)\n\(Self.told(shortest))")
            return
        }
    }

    /// Each is found within 10,000 steps, wherever one begins.
    @Test(arguments: [Simulation.Mutation.withoutLocks, .withoutReadingAgain, .withAsynchronousCommits], 0..<2)
    func `a rule that is left out is missed`(mutation: Simulation.Mutation, part: Int) throws {
        let first = UInt64(1 + part * 5)
        for seed in first..<first + 5 {
            let (steps, drawn) = Self.run(of: seed)
            let shape = mutation == .withAsynchronousCommits ? drawn | 1 : drawn & ~1
            guard Simulation.violation(of: steps, shape: shape, mutation: mutation) != nil else { continue }
            let (shortest, violation) = Simulation.shortened(steps, shape: shape, mutation: mutation, tries: 60)
            #expect(Simulation.violation(of: shortest, shape: shape) == nil, "it is not the mutation: \(violation)")
            #expect(shortest.count < steps.count / 4, "\(violation)")
            return
        }
        Issue.record("\(mutation) was not found in 10,000 steps from seed \(first) on")
    }

    private static func run(of seed: UInt64) -> (steps: [Simulation.Step], shape: Int) {
        var random = SeededGenerator(seed: seed)
        let shape = Int.random(in: 0..<24, using: &random)
        return ((0..<stepsOfRun).map { _ in Simulation.Step(using: &random) }, shape)
    }

    private static func told(_ steps: [Simulation.Step]) -> String {
        steps.map { "\($0.kind) \($0.daemon) \($0.choice)" }.joined(separator: "\n")
    }
}
