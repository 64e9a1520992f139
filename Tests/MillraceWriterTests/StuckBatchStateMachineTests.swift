import MillracePostgres
import Testing

@testable import MillraceWriter

struct StuckBatchStateMachineTests {
    private let start = ContinuousClock.now
    private let fault = WritingFault(code: "server_error", sqlState: "P0001", message: "no", hint: "fix it")

    private func machine(rowErrorTries: Int = 3) -> StuckBatchStateMachine {
        StuckBatchStateMachine(retryMin: .seconds(1), retryMax: .seconds(10), rowErrorTries: rowErrorTries)
    }

    private func at(_ seconds: Int) -> ContinuousClock.Instant { start + .seconds(seconds) }

    @Test func `a batch is tried later and later, until it is in the ledger`() {
        var machine = machine()
        var waits: [Duration] = []
        for second in 0..<6 { waits.append(machine.batchFailed([10..<20], .other, fault, at: at(second))) }
        #expect(waits == [1, 2, 4, 8, 10, 10].map { .seconds($0) })
        #expect(machine.count == 1 && machine.lines == 10 && machine.fault == fault)
        #expect(machine.tries(of: 10..<20) == 6 && machine.tries(of: 20..<30) == 0)
        #expect(machine.batchCommitted(10..<20, into: [.analyticsEvents], begunAt: at(7)) == false)
        #expect(machine.count == 0 && machine.fault == nil)
    }

    @Test func `what a trigger says is looked for in single rows after some tries`() {
        var machine = machine(rowErrorTries: 3)
        #expect(machine.care(for: 1..<5) == BatchCare())
        _ = machine.batchFailed([1..<5], .other, fault, at: at(0))
        #expect(machine.care(for: 1..<5) == BatchCare())
        _ = machine.batchFailed([1..<5], .other, fault, at: at(1))
        #expect(machine.care(for: 1..<5) == BatchCare(searchesRows: true))
        #expect(self.machine(rowErrorTries: 1).care(for: 1..<5).searchesRows)
    }

    @Test func `rows are at fault once their table took others in a batch that was begun after the refusal`() {
        var machine = machine()
        _ = machine.batchFailed([1..<5], .tableRefused(.analyticsEvents), fault, at: at(10))
        #expect(machine.care(for: 1..<5).takers.isEmpty)
        // Begun before the refusal: what refuses may have come between.
        #expect(machine.batchCommitted(5..<6, into: [.analyticsEvents], begunAt: at(9)) == false)
        #expect(machine.care(for: 1..<5).takers.isEmpty)
        // Of the other table.
        #expect(machine.batchCommitted(6..<7, into: [.conversations], begunAt: at(11)) == false)
        #expect(machine.care(for: 1..<5).takers.isEmpty)
        #expect(machine.batchCommitted(7..<8, into: [.analyticsEvents], begunAt: at(12)) == true)
        #expect(machine.care(for: 1..<5).takers == [.analyticsEvents])
        #expect(machine.care(for: 8..<9).takers.isEmpty)
    }

    @Test func `a refusal counts from its first time, and a commit before it means nothing`() {
        var machine = machine()
        _ = machine.batchCommitted(0..<1, into: [.analyticsEvents, .conversations], begunAt: at(0))
        _ = machine.batchFailed([1..<5], .tableRefused(.conversations), fault, at: at(1))
        #expect(machine.care(for: 1..<5).takers.isEmpty)
        _ = machine.batchCommitted(5..<6, into: [.conversations], begunAt: at(2))
        _ = machine.batchFailed([1..<5], .tableRefused(.conversations), fault, at: at(3))
        #expect(machine.care(for: 1..<5).takers == [.conversations])
    }

    @Test func `a batch that waited comes back in smaller ones, which have its past`() {
        var machine = machine()
        let other = WritingFault(code: "server_error", sqlState: "55P03", message: "lock", hint: "see")
        _ = machine.batchFailed([1..<5], .other, fault, at: at(0))
        #expect(machine.batchFailed([1..<3, 3..<5], .waited, other, at: at(1)) == .seconds(2))
        #expect(machine.count == 2 && machine.lines == 4)
        #expect(machine.tries(of: 1..<3) == 2 && machine.tries(of: 3..<5) == 2)
        _ = machine.batchCommitted(3..<5, into: [], begunAt: at(2))
        #expect(machine.count == 1 && machine.fault == other)
    }
}
