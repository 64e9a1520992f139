@testable import MillraceChannels
import Testing

struct MemoryBudgetTests {
    @Test func `what is reserved is given back, by growing, shrinking and going away`() {
        let budget = MemoryBudget(MemoryConfiguration(budget: 1000))
        do {
            let (one, other) = (MemoryReservation(budget, for: .pages), MemoryReservation(budget, for: .bodies))
            #expect(one.resize(to: 600) && other.resize(to: 400))
            #expect(budget.usedBytes == 1000 && budget.isFull && !budget.isShort)
            #expect(!one.resize(to: 601) && one.bytes == 600 && budget.usedBytes == 1000)
            #expect(budget.refused(.pages) == 1 && budget.refused(.bodies) == 0 && budget.isShort)
            #expect(one.resize(to: 100) && other.resize(to: 900))
            #expect(throws: MemoryShortage.self) { try one.require(101) }
        }
        #expect(budget.usedBytes == 0)
    }

    @Test func `what is in memory already is counted beyond the budget`() {
        let budget = MemoryBudget(MemoryConfiguration(budget: 1000, lineWait: .zero))
        let held = MemoryReservation(budget, for: .answers)
        held.count(1200)
        #expect(budget.isFull && !budget.isOverfull)
        held.count(1250)
        #expect(budget.isOverfull)
        #expect(!MemoryReservation(budget, for: .lines).resize(to: 1))
        held.count(0)
        #expect(budget.usedBytes == 0)
    }
}
