import Synchronization

/// Holds helping writers back while the emptying of GIN's pending lists is behind: one session does it, so that with more
/// writers the lists only grow, and what is left when the flood ends is emptied on one core.
final class CleaningGate: Sendable {
    private struct State {
        var startedAt: ContinuousClock.Instant?
        var isFinished = false
        var waiting: [CheckedContinuation<Void, Never>] = []
    }

    private let limit: Duration
    private let state = Mutex(State())

    /// `limit`: a cleaning that takes longer is behind.
    init(limit: Duration = .milliseconds(300)) {
        self.limit = limit
    }

    /// A cleaning begins.
    func begin() {
        state.withLock { $0.startedAt = .now }
    }

    /// It has ended, done or not.
    func end() {
        release { $0.startedAt = nil }
    }

    /// Lets everyone go; nobody waits any more.
    func finish() {
        release { $0.isFinished = true }
    }

    /// Returns at once unless a cleaning is behind; then when it ends.
    func waitUntilCaughtUp() async {
        await withCheckedContinuation { continuation in
            let isBehind = state.withLock { state in
                guard !state.isFinished, let startedAt = state.startedAt, .now - startedAt > limit else {
                    return false
                }
                state.waiting.append(continuation)
                return true
            }
            if !isBehind { continuation.resume() }
        }
    }

    private func release(_ change: (inout State) -> Void) {
        let waiting = state.withLock { state in
            change(&state)
            defer { state.waiting = [] }
            return state.waiting
        }
        for continuation in waiting { continuation.resume() }
    }
}
