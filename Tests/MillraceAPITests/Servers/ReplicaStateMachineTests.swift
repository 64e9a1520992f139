import Testing

@testable import MillraceAPI

struct ReplicaStateMachineTests {
    private let start = ContinuousClock.now

    private func machine(_ count: Int = 2) -> ReplicaStateMachine {
        ReplicaStateMachine(count: count, silence: .seconds(5))
    }

    private func at(_ seconds: Double) -> ContinuousClock.Instant { start + .seconds(seconds) }

    private func primary(_ position: Int, timeline: Int = 1, system: String? = "s") -> ReplicaStateMachine.Answer {
        ReplicaStateMachine.Answer(
            isStandby: false, position: position, timeline: timeline, systemIdentifier: system)
    }

    private func standby(_ position: Int, system: String? = "s") -> ReplicaStateMachine.Answer {
        ReplicaStateMachine.Answer(isStandby: true, position: position, timeline: nil, systemIdentifier: system)
    }

    @Test func `the lag is the time since the last end of the log that a replica has reached`() {
        var machine = machine()
        for second in 0...4 { machine.primaryAnswered(primary(1000 * (second + 1)), at: at(Double(second))) }
        machine.answered(0, standby(5000), at: at(4))
        machine.answered(1, standby(3999), at: at(4))
        #expect(machine.standing(of: 0, lagMax: .seconds(10), at: at(4.5)) == .fit(.seconds(0.5)))
        #expect(machine.standing(of: 1, lagMax: .seconds(10), at: at(4.5)) == .fit(.seconds(2.5)))
        #expect(machine.standing(of: 1, lagMax: .seconds(2), at: at(4.5)) == .behind(.seconds(2.5)))
    }

    @Test func `the one that is least behind is read, of equals each in its turn, and none that is too far behind`() {
        var machine = machine(3)
        machine.primaryAnswered(primary(100), at: at(0))
        machine.primaryAnswered(primary(200), at: at(1))
        machine.answered(0, standby(100), at: at(1))
        machine.answered(1, standby(200), at: at(1))
        machine.answered(2, standby(250), at: at(1))
        var counts = [0, 0, 0]
        for _ in 0..<10 {
            if let chosen = machine.chosen(lagMax: .seconds(10), at: at(1.2)) { counts[chosen.replica] += 1 }
        }
        #expect(counts == [0, 5, 5])
        #expect(machine.chosen(lagMax: .seconds(10), except: [1, 2], at: at(1.2))?.replica == 0)
        #expect(machine.chosen(lagMax: .seconds(1), except: [1, 2], at: at(1.2)) == nil)
        #expect(machine.chosen(lagMax: .zero, at: at(1.2)) == nil)
        #expect(machine.chosen(lagMax: .zero, at: at(1))?.lag == .zero)
    }

    @Test func `a replica that has not replayed what was there at the first look is behind by an unknown time`() {
        var machine = machine(1)
        machine.primaryAnswered(primary(100), at: at(0))
        machine.answered(0, standby(99), at: at(3))
        #expect(machine.standing(of: 0, lagMax: .seconds(10), at: at(3)) == .behind(.seconds(3)))
    }

    @Test func `one that does not answer is not read until it does again`() {
        var machine = machine(1)
        machine.primaryAnswered(primary(100), at: at(0))
        #expect(machine.standing(of: 0, lagMax: .seconds(10), at: at(0)) == .silent)
        machine.answered(0, standby(100), at: at(0))
        #expect(machine.standing(of: 0, lagMax: .seconds(10), at: at(5)) == .fit(.seconds(5)))
        #expect(machine.standing(of: 0, lagMax: .seconds(10), at: at(5.1)) == .silent)
        machine.answered(0, standby(100), at: at(6))
        machine.failed(0)
        #expect(machine.standing(of: 0, lagMax: .seconds(10), at: at(6)) == .silent)
        machine.answered(0, standby(100), at: at(7))
        #expect(machine.standing(of: 0, lagMax: .seconds(10), at: at(7)) == .fit(.seconds(7)))
    }

    @Test func `while the primary is away nobody falls further behind`() {
        var machine = machine(2)
        machine.primaryAnswered(primary(100), at: at(0))
        machine.primaryAnswered(primary(200), at: at(1))
        machine.primaryFailed()
        for second in [2.0, 60, 600] {
            machine.answered(0, standby(200), at: at(second))
            machine.answered(1, standby(100), at: at(second))
            #expect(machine.standing(of: 0, lagMax: .seconds(10), at: at(second)) == .fit(.zero))
            #expect(machine.standing(of: 1, lagMax: .seconds(10), at: at(second)) == .fit(.seconds(1)))
        }
        // Back again, it has moved on.
        machine.primaryAnswered(primary(300), at: at(601))
        #expect(machine.standing(of: 0, lagMax: .seconds(10), at: at(601)) == .behind(.seconds(600)))
    }

    @Test func `before the primary has answered no standby is read`() {
        var machine = machine(1)
        machine.answered(0, standby(100), at: at(0))
        #expect(machine.standing(of: 0, lagMax: .seconds(10), at: at(0)) == .unknown)
        machine.primaryFailed()
        #expect(machine.chosen(lagMax: .seconds(10), at: at(0)) == nil)
    }

    @Test func `after a failover only what the new primary has is the measure`() {
        var machine = machine(2)
        machine.primaryAnswered(primary(1000), at: at(0))
        machine.answered(0, standby(1000), at: at(0))
        // The new one lacks the end of the log that the replica has.
        machine.primaryAnswered(primary(900, timeline: 2), at: at(1))
        #expect(machine.standing(of: 0, lagMax: .seconds(10), at: at(1)) == .fit(.zero))
        machine.primaryAnswered(primary(1001, timeline: 2), at: at(2))
        machine.primaryAnswered(primary(1100, timeline: 2), at: at(3))
        machine.answered(0, standby(1000), at: at(12))
        #expect(machine.standing(of: 0, lagMax: .seconds(10), at: at(12)) == .behind(.seconds(11)))
        // The old one comes back as if nothing had happened, and one is the new primary itself.
        machine.answered(0, primary(1000, timeline: 1), at: at(12))
        #expect(machine.standing(of: 0, lagMax: .seconds(10), at: at(12)) == .overtaken)
        machine.answered(1, primary(1100, timeline: 2), at: at(12))
        #expect(machine.standing(of: 1, lagMax: .seconds(10), at: at(12)) == .fit(.zero))
    }

    @Test func `a standby of another cluster is not read, a copy that takes writes is`() {
        var machine = machine(2)
        machine.primaryAnswered(primary(100), at: at(0))
        machine.answered(0, standby(100, system: "other"), at: at(0))
        machine.answered(1, primary(5, timeline: 7, system: "other"), at: at(0))
        #expect(machine.standing(of: 0, lagMax: .seconds(10), at: at(0)) == .foreign)
        #expect(machine.standing(of: 1, lagMax: .zero, at: at(0)) == .fit(.zero))
        // Where the roles may not ask whose it is.
        machine.answered(0, standby(100, system: nil), at: at(0))
        #expect(machine.standing(of: 0, lagMax: .seconds(10), at: at(0)) == .fit(.zero))
    }

    @Test(arguments: [
        (Duration.zero, "0.000"), (.milliseconds(7), "0.007"), (.milliseconds(412), "0.412"), (.seconds(75), "75.000"),
        (.microseconds(1_999_999), "1.999"),
    ])
    func `a lag is written in seconds`(lag: Duration, text: String) {
        #expect(ReadPlace(server: 1, lag: lag).lagText == text)
    }
}
