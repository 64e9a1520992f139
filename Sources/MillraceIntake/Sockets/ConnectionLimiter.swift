internal import MillraceTelemetry
internal import Synchronization

/// Counts the open connections of one intake, or those who wait in it, against their limit.
final class ConnectionLimiter: Sendable {
    private let max: Atomic<Int>
    private let open = Atomic<Int>(0)

    init(max: Int) {
        self.max = Atomic(max)
    }

    /// Places that are taken beyond it stay so.
    func setMax(_ max: Int) {
        self.max.store(max, ordering: .relaxed)
    }

    /// Takes a place and returns how many are taken now; nil when none was free.
    func enter() -> Int? {
        let taken = open.wrappingAdd(1, ordering: .relaxed).newValue
        guard taken > max.load(ordering: .relaxed) else { return taken }
        open.wrappingSubtract(1, ordering: .relaxed)
        return nil
    }

    /// Whether so few places are left, or fewer.
    func hasAtMost(_ places: Int) -> Bool { open.load(ordering: .relaxed) >= max.load(ordering: .relaxed) - places }

    func leave() {
        open.wrappingSubtract(1, ordering: .relaxed)
    }
}

/// A place of one open connection, counted while the value lives.
struct ConnectionPlace: ~Copyable {
    private let limiter: ConnectionLimiter
    private let open: MetricCounter
    /// How many places were taken with this one.
    let number: Int

    /// Nil when all places are taken. `open`: counts the open connections.
    init?(_ limiter: ConnectionLimiter, open: MetricCounter) {
        guard let number = limiter.enter() else { return nil }
        self.limiter = limiter
        self.open = open
        self.number = number
        open.add(1)
    }

    deinit {
        limiter.leave()
        open.add(-1)
    }
}
