import MillraceChannels
import MillraceEvent
import NIOCore
import Testing

@testable import MillraceIntake

struct TCPConnectionMemoryTests {
    private static let start = NIODeadline.uptimeNanoseconds(1_000_000_000_000)

    private func look(
        _ memory: inout TCPConnectionMemory, line: Int, number: UInt64 = 0, waiting: Int = 0, after seconds: Int64 = 0
    ) -> TCPConnectionMemory.Verdict {
        memory.holds(
            buffer: line, lineBytes: line, lineNumber: number, waiting: waiting, now: Self.start + .seconds(seconds))
    }

    @Test func `a connection that holds little is not counted`() {
        let budget = MemoryBudget(MemoryConfiguration(budget: 100_000))
        var memory = TCPConnectionMemory(budget)
        #expect(look(&memory, line: 10_000) == .fine)
        #expect(budget.usedBytes == 0)
        #expect(look(&memory, line: 10_000, waiting: 20_000) == .fine)
        #expect(budget.usedBytes == 30_000)
        #expect(look(&memory, line: 0) == .fine)
        #expect(budget.usedBytes == 0)
    }

    @Test func `a line may stay as long as nobody wants its memory, and is then given up`() {
        let budget = MemoryBudget(MemoryConfiguration(budget: 100_000, lineWait: .seconds(60)))
        var memory = TCPConnectionMemory(budget)
        #expect(look(&memory, line: 50_000) == .lookAgain)
        #expect(look(&memory, line: 50_000, after: 3600) == .lookAgain && !memory.isHeldBack)
        #expect(!MemoryReservation(budget, for: .bodies).resize(to: 60_000))
        // Another line began meanwhile.
        #expect(look(&memory, line: 50_000, number: 7, after: 3601) == .lookAgain)
        #expect(look(&memory, line: 50_000, number: 7, after: 3660) == .lookAgain)
        #expect(look(&memory, line: 50_000, number: 7, after: 3661) == .giveUp)
    }

    @Test func `a full budget holds a connection back, and one that is overfull ends it`() {
        let budget = MemoryBudget(MemoryConfiguration(budget: 100_000, lineWait: .seconds(60)))
        var memory = TCPConnectionMemory(budget)
        #expect(look(&memory, line: 100_000) == .lookAgain && memory.isHeldBack)
        #expect(look(&memory, line: 90_000) == .lookAgain && !memory.isHeldBack)
        #expect(look(&memory, line: 0, waiting: 110_000) == .lookAgain && memory.isHeldBack)
        #expect(look(&memory, line: 125_000) == .giveUp)
        memory.release()
        #expect(budget.usedBytes == 0 && !memory.isHeldBack)
    }
}
