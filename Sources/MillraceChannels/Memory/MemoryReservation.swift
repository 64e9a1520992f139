internal import Synchronization

/// Bytes of a budget that one connection, request or page holds; given back with the object. One thread at a time uses it.
package final class MemoryReservation: Sendable {
    private let budget: MemoryBudget
    private let use: MemoryBudget.Use
    private let held = Atomic<Int>(0)

    package init(_ budget: MemoryBudget, for use: MemoryBudget.Use) {
        self.budget = budget
        self.use = use
    }

    deinit { count(0) }

    package var bytes: Int { held.load(ordering: .relaxed) }

    /// Makes it `bytes`. False, and as before, when it would grow and the budget has not that much.
    package func resize(to bytes: Int) -> Bool {
        let growth = bytes - self.bytes
        guard growth > 0 else {
            count(bytes)
            return true
        }
        guard budget.take(growth, for: use) else { return false }
        held.store(bytes, ordering: .relaxed)
        return true
    }

    /// The same or throws.
    package func require(_ bytes: Int) throws(MemoryShortage) {
        guard resize(to: bytes) else { throw MemoryShortage() }
    }

    /// Makes it `bytes`, which are in memory already, whatever the budget has.
    package func count(_ bytes: Int) {
        let growth = bytes - self.bytes
        guard growth != 0 else { return }
        budget.count(growth)
        held.store(bytes, ordering: .relaxed)
    }
}

/// A request would take memory beyond the budget. It may be tried again when others have finished.
package struct MemoryShortage: Error {
    /// `error.code` of the 503.
    package static let code = "memory_budget"
    package static let message =
        "what the daemon holds for other clients has used up memory.budget; try later, or ask for less"

    package init() {}
}
