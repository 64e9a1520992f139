@testable import MillraceIntake
import MillraceChannels
import MillraceEvent
import Testing

struct TCPConnectionStateMachineTests {
    private func machine(_ acks: Submission.Acknowledgement? = .spooled) -> TCPConnectionStateMachine {
        var machine = TCPConnectionStateMachine(inflightBytesMax: 100)
        machine.firstLineReceived(greeting: acks.map { TCPGreeting(acks: $0) })
        return machine
    }

    private func batch(
        _ machine: inout TCPConnectionStateMachine, lines: Int, byteCount: Int = 10, refused: [UInt64] = []
    ) -> UInt64 {
        for _ in 0..<lines { _ = machine.lineReceived() }
        let refusals = refused.map {
            TCPConnectionStateMachine.LineRefusal(line: $0, refusal: Refusal(.invalidJSON, "bad"))
        }
        return machine.batchSubmitted(byteCount: byteCount, refusals: refusals)
    }

    @Test func `a batch is answered only after the ones before it`() {
        var machine = machine()
        let first = batch(&machine, lines: 2, refused: [1])
        let second = batch(&machine, lines: 3, refused: [4])
        let third = batch(&machine, lines: 1)
        #expect(machine.batchSettled(second) == nil)
        let answer = machine.batchSettled(first)
        #expect(answer?.ack == 5)
        #expect(answer?.refusals.map(\.line) == [1, 4])
        #expect(machine.oldestBatch == third)
        #expect(machine.batchSettled(third)?.ack == 6)
        #expect(machine.isSettled)
        #expect(machine.unansweredBytes == 0)
    }

    @Test func `reading stops at the bound on unanswered bytes and goes on below it`() {
        var machine = machine()
        let first = batch(&machine, lines: 1, byteCount: 100)
        #expect(!machine.mayRead)
        _ = machine.batchSettled(first)
        #expect(machine.mayRead)
        machine.quiesceRequested()
        #expect(machine.mayCut && !machine.mayRead)
    }

    @Test func `a connection without a greeting is never answered`() {
        var machine = machine(nil)
        let first = batch(&machine, lines: 1)
        #expect(machine.batchSettled(first) == nil)
        #expect(machine.isSettled && machine.isOneWay)
    }

    @Test func `a batch that settles twice changes nothing`() {
        var machine = machine(.committed)
        let first = batch(&machine, lines: 1)
        _ = machine.batchSettled(first)
        let second = batch(&machine, lines: 1)
        #expect(machine.batchSettled(first) == nil)
        #expect(machine.batchSettled(second)?.ack == 2)
    }
}
