import MillraceChannels
import MillraceEvent
import Testing

@testable import MillraceBench

struct LoadStateMachineTests {
    private static let second: Int64 = 1_000_000_000

    private func plan(
        _ wire: LoadPlan.Wire = .tcp, connections: Int = 2, batch: Int = 1, inFlightMax: Int = 10,
        rate: Double? = nil, warmup: Int64 = 0, extent: LoadPlan.Extent
    ) -> LoadPlan {
        LoadPlan(
            wire: wire, acknowledgement: .spooled, connections: connections, batch: batch, inFlightMax: inFlightMax,
            rate: rate, warmupNanoseconds: warmup, extent: extent)
    }

    private func answer(_ machine: inout LoadStateMachine, _ connection: Int, _ lines: Int, at now: Int64) -> [Int64] {
        var latencies: [Int64] = []
        machine.answered(connection, lines: lines, at: now) { answered in
            if answered.isMeasured { latencies += Array(repeating: now - answered.intendedAt, count: answered.lines) }
        }
        return latencies
    }

    @Test func `the closed loop fills the places and refills what an ack frees`() {
        var machine = LoadStateMachine(plan: plan(extent: .nanoseconds(Self.second)), startedAt: 0, firstNumber: 100)
        #expect(machine.grant(0, linesMax: 6, at: 1) == .init(numbers: 100..<106, isMeasured: true))
        #expect(machine.grant(0, linesMax: 6, at: 1) == .init(numbers: 106..<110, isMeasured: true))
        #expect(machine.grant(0, linesMax: 6, at: 1) == nil)
        #expect(machine.grant(1, linesMax: 6, at: 2)?.numbers == 110..<116)
        #expect(answer(&machine, 0, 3, at: 50) == [49, 49, 49])
        #expect(machine.grant(0, linesMax: 6, at: 51)?.lines == 3)
        #expect(machine.inFlight == 16)
    }

    @Test func `a run by time ends at its time and then waits for its acks`() {
        var machine = LoadStateMachine(plan: plan(extent: .nanoseconds(100)), startedAt: 0, firstNumber: 0)
        #expect(machine.nextTime(after: 0) == 100)
        _ = machine.grant(0, linesMax: 4, at: 99)
        #expect(machine.grant(1, linesMax: 4, at: 100) == nil)
        #expect(machine.isSendingOver(at: 100))
        #expect(!machine.isDone(at: 100))
        _ = answer(&machine, 0, 4, at: 130)
        #expect(machine.isDone(at: 130))
        #expect(machine.tally.events == 4)
        #expect(machine.tally.nanoseconds == 31)
    }

    @Test func `a run by count measures so many events and none of the ramp-up`() {
        var machine = LoadStateMachine(plan: plan(warmup: 10, extent: .events(5)), startedAt: 0, firstNumber: 0)
        #expect(machine.grant(0, linesMax: 3, at: 9)?.isMeasured == false)
        #expect(machine.grant(0, linesMax: 3, at: 10) == .init(numbers: 3..<6, isMeasured: true))
        #expect(machine.grant(1, linesMax: 9, at: 11) == .init(numbers: 6..<8, isMeasured: true))
        #expect(machine.grant(1, linesMax: 9, at: 12) == nil)
        #expect(answer(&machine, 0, 4, at: 20) == [10])
        _ = answer(&machine, 0, 2, at: 21)
        _ = answer(&machine, 1, 2, at: 30)
        #expect(machine.isDone(at: 30))
        #expect(machine.tally.sent == 8)
        #expect(machine.tally.events == 5)
        #expect(machine.tally.nanoseconds == 20)
    }

    @Test func `the open loop sends nothing early and everything that is due`() {
        // A tick of 1 line every 10 ns, to 2 connections in turn.
        var machine = LoadStateMachine(
            plan: plan(rate: 1e8, extent: .nanoseconds(100)), startedAt: 0, firstNumber: 0)
        #expect(machine.nextTime(after: 0) == 10)
        #expect(machine.grant(0, linesMax: 10, at: 0)?.lines == 1)
        #expect(machine.grant(1, linesMax: 10, at: 9) == nil)
        // At 45, ticks 0 … 4 are due: 1 and 3 to connection 1, 2 and 4 to connection 0.
        #expect(machine.ticksDue(at: 45) == 5)
        #expect(machine.grant(1, linesMax: 10, at: 45)?.lines == 2)
        #expect(answer(&machine, 1, 2, at: 50) == [40, 20])
        // Nothing was sent on connection 0 for a while: its latencies count from when they were due.
        #expect(machine.grant(0, linesMax: 10, at: 90)?.lines == 4)
        #expect(answer(&machine, 0, 5, at: 95) == [95, 75, 55, 35, 15])
    }

    @Test func `what a connection cannot take stays due on it`() {
        var machine = LoadStateMachine(
            plan: plan(connections: 1, inFlightMax: 3, rate: 1e8, extent: .nanoseconds(100)), startedAt: 0,
            firstNumber: 0)
        #expect(machine.grant(0, linesMax: 100, at: 95)?.lines == 3)
        #expect(machine.grant(0, linesMax: 100, at: 95) == nil)
        _ = answer(&machine, 0, 3, at: 96)
        #expect(machine.grant(0, linesMax: 100, at: 96)?.lines == 3)
        // Late ones still go out for a moment after the end, then no more.
        #expect(!machine.isSendingOver(at: 100 + LoadStateMachine.grace - 1))
        #expect(machine.isSendingOver(at: 100 + LoadStateMachine.grace))
        machine.finish()
        #expect(machine.tally.overdue == 4)
    }

    @Test func `the open loop's ramp-up and measured part never share a grant`() {
        var machine = LoadStateMachine(
            plan: plan(connections: 1, batch: 2, rate: 2e8, warmup: 30, extent: .events(5)), startedAt: 0,
            firstNumber: 0)
        // Ticks of 2 lines every 10 ns: 3 of the ramp-up, then 5 lines in 3 ticks.
        #expect(machine.grant(0, linesMax: 100, at: 1000) == .init(numbers: 0..<6, isMeasured: false))
        #expect(machine.grant(0, linesMax: 100, at: 1000) == .init(numbers: 6..<10, isMeasured: true))
        #expect(machine.grant(0, linesMax: 100, at: 1000) == nil, "10 lines are in flight")
        _ = answer(&machine, 0, 6, at: 1001)
        #expect(machine.grant(0, linesMax: 100, at: 1001) == .init(numbers: 10..<11, isMeasured: true))
        #expect(machine.isSendingOver(at: 1001))
        #expect(answer(&machine, 0, 5, at: 1010) == [980, 980, 970, 970, 960])
        #expect(machine.tally.events == 5)
        #expect(machine.tally.measuredFrom == 30)
    }

    @Test(arguments: [nil, 1e8])
    func `over HTTP a connection has one request in flight`(rate: Double?) {
        var machine = LoadStateMachine(
            plan: plan(.http, connections: 1, batch: 4, rate: rate, extent: .nanoseconds(1000)), startedAt: 0,
            firstNumber: 0)
        #expect(machine.grant(0, linesMax: 100, at: 500)?.numbers == 0..<4)
        #expect(machine.grant(0, linesMax: 100, at: 600) == nil)
        _ = answer(&machine, 0, 4, at: 700)
        #expect(machine.grant(0, linesMax: 100, at: 700)?.numbers == 4..<8)
        machine.failed(0, lines: 4)
        #expect(machine.tally.failed == 4)
        #expect(machine.tally.answered == 4)
        #expect(machine.inFlight == 0)
    }

    @Test func `refused lines are no events, and those of the ramp-up are not measured`() {
        var machine = LoadStateMachine(
            plan: plan(connections: 1, warmup: 10, extent: .events(4)), startedAt: 0, firstNumber: 0)
        _ = machine.grant(0, linesMax: 2, at: 0)
        _ = machine.grant(0, linesMax: 9, at: 10)
        machine.refused(0, line: 2)
        machine.refused(0, line: 3)
        _ = answer(&machine, 0, 6, at: 20)
        #expect(machine.tally.refused == 2)
        #expect(machine.tally.accepted == 4)
        #expect(machine.tally.events == 3)
    }

    @Test func `every line is granted once, in any order of calls`() {
        let seed = UInt64.random(in: 0 ... .max)
        var random = SeededNumbers(seed: seed)
        var machine = LoadStateMachine(
            plan: plan(connections: 5, batch: 3, inFlightMax: 40, rate: 3e8, extent: .nanoseconds(10_000)),
            startedAt: 0,
            firstNumber: 0)
        var now: Int64 = 0
        var next: UInt64 = 0
        while !machine.isDone(at: now) {
            now += Int64(random.below(40))
            let connection = random.below(5)
            if let grant = machine.grant(connection, linesMax: 12, at: now) {
                #expect(grant.numbers.lowerBound == next, "seed \(seed)")
                next = grant.numbers.upperBound
            }
            let lines = random.below(machine.inFlight(connection) + 1)
            machine.answered(connection, lines: lines, at: now) { answered in
                #expect(answered.intendedAt <= answered.sentAt, "seed \(seed)")
            }
        }
        machine.finish()
        #expect(machine.tally.sent + machine.tally.overdue == 3000, "seed \(seed)")
        #expect(machine.tally.sent == machine.tally.answered, "seed \(seed)")
    }
}

/// Numbers below a bound from a seed.
private struct SeededNumbers {
    private let seed: UInt64
    private var count: UInt64 = 0

    init(seed: UInt64) {
        self.seed = seed
    }

    mutating func below(_ bound: Int) -> Int {
        count += 1
        return Int(EventHash.mix(seed, count, lane: 0) % UInt64(bound))
    }
}
