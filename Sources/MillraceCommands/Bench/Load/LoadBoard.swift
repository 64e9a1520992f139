internal import Synchronization

/// Where the sending thread leaves its intervals for the one that shows them, so that neither waits for the other.
final class LoadBoard: Sendable {
    private struct State {
        var intervals: [LoadInterval] = []
        /// Empty; so that the sending thread makes none.
        var spares: [LatencyPair]
        var isFinished = false
    }

    private let state: Mutex<State>

    init() {
        state = Mutex(State(spares: [LatencyPair(), LatencyPair()]))
    }

    /// The sending side: hands `interval` over and gets an empty pair back.
    func post(_ interval: LoadInterval) -> LatencyPair {
        state.withLock { state in
            state.intervals.append(interval)
            return state.spares.popLast() ?? LatencyPair()
        }
    }

    func finish() {
        state.withLock { $0.isFinished = true }
    }

    var isFinished: Bool { state.withLock { $0.isFinished } }

    /// The showing side: what came since the last call.
    func take() -> [LoadInterval] {
        let taken = state.withLock { state in
            let taken = state.intervals
            state.intervals = []
            return taken
        }
        for interval in taken {
            var spare = interval.latencies
            spare.reset()
            state.withLock { [spare] state in
                if state.spares.count < 2 { state.spares.append(spare) }
            }
        }
        return taken
    }
}
