internal import Synchronization

/// Counts the open connections of one intake, or those who wait in it, against their limit.
final class ConnectionLimiter: Sendable {
    private let max: Int
    private let open = Atomic<Int>(0)

    init(max: Int) {
        self.max = max
    }

    /// Takes a place and says how many are taken now; nil when all are.
    func enter() -> Int? {
        let taken = open.wrappingAdd(1, ordering: .relaxed).newValue
        guard taken > max else { return taken }
        open.wrappingSubtract(1, ordering: .relaxed)
        return nil
    }

    /// Whether so few places are left, or fewer.
    func hasAtMost(_ places: Int) -> Bool { open.load(ordering: .relaxed) >= max - places }

    func leave() {
        open.wrappingSubtract(1, ordering: .relaxed)
    }
}
