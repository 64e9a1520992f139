import NIOCore
import Testing

@testable import MillraceIntake

struct RefusalStateMachineTests {
    private static let configuration = {
        var configuration = RefusalsConfiguration()
        configuration.burstLines = 10
        configuration.sampledOneIn = 4
        return configuration
    }()
    private static let start = NIODeadline.uptimeNanoseconds(1 << 40)

    @Test func `the first of a burst are kept, then one in so many, and the connection ends`() {
        var machine = RefusalStateMachine(linesMax: 50, configuration: Self.configuration)
        var kept: [Int] = []
        for line in 1...50 {
            #expect(!machine.isSpent)
            if machine.lineRefused(at: Self.start) { kept.append(line) }
        }
        #expect(machine.isSpent)
        #expect(kept == Array(1...10) + Array(stride(from: 14, through: 50, by: 4)))
    }

    @Test func `after the interval a burst begins anew`() {
        var machine = RefusalStateMachine(linesMax: 50, configuration: Self.configuration)
        for _ in 1...11 { _ = machine.lineRefused(at: Self.start) }
        let within = machine.lineRefused(at: Self.start + .seconds(59))
        let after = machine.lineRefused(at: Self.start + .seconds(60))
        #expect(!within && after)
    }

    @Test func `an accepted line makes up for a refused one, and no more than that`() {
        var machine = RefusalStateMachine(linesMax: 50, configuration: Self.configuration)
        for _ in 1...1000 { machine.lineAccepted() }
        for _ in 1...1000 {
            _ = machine.lineRefused(at: Self.start)
            machine.lineAccepted()
        }
        #expect(!machine.isSpent)
        for _ in 1...50 { _ = machine.lineRefused(at: Self.start) }
        #expect(machine.isSpent)
    }
}
