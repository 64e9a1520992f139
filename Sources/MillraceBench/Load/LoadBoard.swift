internal import MillraceTelemetry
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

/// About a second of a run, as the sending side hands it over.
struct LoadInterval: Sendable {
    /// Time since 1970 at its start.
    var startedAt: Duration
    var length: Duration
    /// Lines answered in it, ramp-up included.
    var answered: Int
    /// Lines in flight at its end.
    var inFlight: Int
    /// False for the ramp-up, whose latencies are not here.
    var isMeasured: Bool
    /// Of the closed loop `corrected` is empty: see `correctionMicroseconds`.
    var latencies: LatencyPair
    /// Closed loop: the mean time between two lines of one place so far, the expected interval of the correction. nil in
    /// the open loop.
    var correctionMicroseconds: UInt64?

    /// The latencies with the closed loop's correction made.
    var corrected: LatencyPair {
        guard let correctionMicroseconds else { return latencies }
        var pair = latencies
        pair.corrected = latencies.uncorrected.corrected(expectedIntervalMicroseconds: correctionMicroseconds)
        return pair
    }
}
