import Testing

@testable import MillraceWriter

struct WritingStateMachineTests {
    private typealias Action = WritingStateMachine.Action

    /// A machine with a clock of its own, in seconds since its start.
    private struct Rig {
        var machine = WritingStateMachine(stallAfter: .seconds(8), repeatAfter: .seconds(60))
        let start = ContinuousClock.now

        mutating func apply(_ event: WritingStateMachine.Event, at seconds: Int) -> [Action] {
            machine.apply(event, at: start + .seconds(seconds))
        }

        func stall(
            _ reach: WritingState.Reach, since seconds: Int, _ fault: WritingFault, lines: Int
        ) -> WritingStateMachine.Stall {
            .init(reach: reach, since: start + .seconds(seconds), fault: fault, linesWaiting: lines)
        }
    }

    private static func fault(_ state: String, wantsOperator: Bool = false) -> WritingFault {
        WritingFault(
            code: "server_error", sqlState: state, message: "message of \(state)", hint: "hint",
            wantsOperator: wantsOperator)
    }

    @Test func `nothing waits and nothing is written: all is well, however long`() {
        var rig = Rig()
        for second in stride(from: 0, to: 1000, by: 10) {
            #expect(rig.apply(.timePassed(linesWaiting: 0), at: second) == [])
        }
        #expect(rig.machine.stall == nil && !rig.machine.isStopped)
    }

    @Test func `a stall is told once with its reason, then once a minute, and when it is over`() {
        var rig = Rig()
        let fault = Self.fault("42501", wantsOperator: true)
        #expect(rig.apply(.timePassed(linesWaiting: 3), at: 1) == [])
        #expect(rig.apply(.batchFailed(fault), at: 2) == [])
        #expect(rig.machine.isStopped)
        #expect(rig.apply(.timePassed(linesWaiting: 4), at: 8) == [])
        #expect(
            rig.apply(.timePassed(linesWaiting: 5), at: 9) == [.say(rig.stall(.nothing, since: 1, fault, lines: 5))])
        for second in stride(from: 10, to: 69, by: 1) {
            #expect(rig.apply(.timePassed(linesWaiting: 6), at: second) == [])
        }
        #expect(
            rig.apply(.timePassed(linesWaiting: 7), at: 69) == [.say(rig.stall(.nothing, since: 1, fault, lines: 7))])
        #expect(rig.apply(.batchCommitted, at: 70) == [])
        #expect(!rig.machine.isStopped)
        #expect(
            rig.apply(.timePassed(linesWaiting: 1), at: 71) == [.unsay(rig.stall(.nothing, since: 1, fault, lines: 7))])
        #expect(rig.machine.stall == nil)
    }

    @Test func `commits within the time are no stall, and a batch that gets no answer is one`() {
        var rig = Rig()
        for second in stride(from: 0, to: 100, by: 5) {
            #expect(rig.apply(.timePassed(linesWaiting: 9), at: second) == [])
            #expect(rig.apply(.batchCommitted, at: second) == [])
        }
        #expect(
            rig.apply(.timePassed(linesWaiting: 9), at: 103)
                == [.say(rig.stall(.nothing, since: 95, .noAnswer, lines: 9))])
    }

    @Test func `a session that comes and writes nothing does not end what a refused batch began`() {
        var rig = Rig()
        _ = rig.apply(.databaseUnreachable(Self.fault("28P01", wantsOperator: true)), at: 0)
        #expect(rig.machine.isStopped)
        _ = rig.apply(.databaseReached, at: 1)
        #expect(!rig.machine.isStopped)
        _ = rig.apply(.batchFailed(Self.fault("42501", wantsOperator: true)), at: 2)
        _ = rig.apply(.databaseReached, at: 3)
        #expect(rig.machine.isStopped)
        _ = rig.apply(.batchCommitted, at: 4)
        #expect(!rig.machine.isStopped)
    }

    @Test func `a batch that is stuck while others go through is told as that, and total once nothing goes through`() {
        var rig = Rig()
        let stuck = Self.fault("55P03")
        _ = rig.apply(.batchesStuck(count: 1, lines: 10, fault: stuck), at: 0)
        _ = rig.apply(.timePassed(linesWaiting: 10), at: 0)
        _ = rig.apply(.batchCommitted, at: 1)
        #expect(
            rig.apply(.timePassed(linesWaiting: 10), at: 8) == [.say(rig.stall(.some, since: 0, stuck, lines: 10))])
        // One event every now and then does not make it total before it has waited long enough itself.
        #expect(rig.apply(.timePassed(linesWaiting: 11), at: 40) == [])
        let fault = Self.fault("42501")
        _ = rig.apply(.batchFailed(fault), at: 41)
        #expect(
            rig.apply(.timePassed(linesWaiting: 11), at: 48) == [.say(rig.stall(.nothing, since: 40, fault, lines: 11))]
        )
        _ = rig.apply(.batchCommitted, at: 49)
        #expect(
            rig.apply(.timePassed(linesWaiting: 10), at: 49) == [.say(rig.stall(.some, since: 0, stuck, lines: 10))])
        _ = rig.apply(.batchesStuck(count: 0, lines: 0, fault: stuck), at: 50)
        #expect(
            rig.apply(.timePassed(linesWaiting: 0), at: 50) == [.unsay(rig.stall(.some, since: 0, stuck, lines: 10))])
    }

    @Test func `once all that comes is set aside too, nothing is written`() {
        var rig = Rig()
        let stuck = Self.fault("23502")
        _ = rig.apply(.batchesStuck(count: 1, lines: 10, fault: stuck), at: 0)
        _ = rig.apply(.batchCommitted, at: 5)
        #expect(
            rig.apply(.timePassed(linesWaiting: 10), at: 8) == [.say(rig.stall(.some, since: 0, stuck, lines: 10))])
        _ = rig.apply(.batchesStuck(count: 2, lines: 20, fault: stuck), at: 9)
        #expect(
            rig.apply(.timePassed(linesWaiting: 20), at: 13) == [.say(rig.stall(.nothing, since: 5, stuck, lines: 20))])
    }

    @Test func `a batch that was set aside and nothing else is a stall`() {
        var rig = Rig()
        let stuck = Self.fault("P0001")
        _ = rig.apply(.batchCommitted, at: 0)
        _ = rig.apply(.batchesStuck(count: 1, lines: 2, fault: stuck), at: 1)
        #expect(rig.apply(.timePassed(linesWaiting: 2), at: 8) == [])
        #expect(
            rig.apply(.timePassed(linesWaiting: 2), at: 9) == [.say(rig.stall(.nothing, since: 1, stuck, lines: 2))])
    }
}
