@testable import MillraceWriter
import Testing

@Suite(.timeLimit(.minutes(10))) struct CleaningGateTests {
    @Test func `nobody waits without a cleaning, or for one that is in time`() async {
        let gate = CleaningGate(limit: .seconds(3600))
        await gate.waitUntilCaughtUp()
        gate.begin()
        await gate.waitUntilCaughtUp()
    }

    @Test func `who waits for a cleaning that is behind goes on when it ends`() async {
        let gate = CleaningGate(limit: .zero)
        gate.begin()
        async let first: Void = gate.waitUntilCaughtUp()
        async let second: Void = gate.waitUntilCaughtUp()
        gate.end()
        _ = await (first, second)
    }

    @Test func `nobody waits for a cleaning when the stage ends`() async {
        let gate = CleaningGate(limit: .zero)
        gate.begin()
        async let waiting: Void = gate.waitUntilCaughtUp()
        gate.finish()
        await waiting
        gate.begin()
        await gate.waitUntilCaughtUp()
    }
}
