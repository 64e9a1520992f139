import Synchronization

/// Holds helping writers back while the emptying of GIN's pending lists is behind: one session does it, so that with more
/// writers the lists only grow, and what is left when the flood ends is emptied on one core.
final class CleaningGate: Sendable {
    private let limit: Duration
    private let startedAt = Mutex<ContinuousClock.Instant?>(nil)
    /// Closed during a cleaning.
    private let gate = Gate(isOpen: true)

    /// `limit`: a cleaning that takes longer is behind.
    init(limit: Duration = .milliseconds(300)) {
        self.limit = limit
    }

    /// A cleaning begins.
    func begin() {
        startedAt.withLock { $0 = .now }
        gate.close()
    }

    /// It has ended, done or not.
    func end() {
        startedAt.withLock { $0 = nil }
        gate.open()
    }

    /// Lets everyone go; nobody waits any more.
    func finish() {
        gate.finish()
    }

    /// Returns at once unless a cleaning is behind; then when it ends.
    func waitUntilCaughtUp() async {
        let isBehind = startedAt.withLock { $0.map { .now - $0 > limit } ?? false }
        if isBehind { _ = await gate.waitUntilOpen() }
    }
}
