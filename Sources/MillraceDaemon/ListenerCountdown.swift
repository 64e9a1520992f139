import Synchronization

/// Counts down to "every listener is bound", and collects what they are bound to.
final class ListenerCountdown: Sendable {
    private struct State {
        var missing: Int
        var addresses: [String] = []
        var waiting: CheckedContinuation<Void, Never>?
    }

    private let state: Mutex<State>

    /// `intakes`: how many services will report their listeners.
    init(intakes: Int) {
        state = Mutex(State(missing: intakes))
    }

    func listening(_ addresses: [String]) {
        let waiting = state.withLock { state -> CheckedContinuation<Void, Never>? in
            state.missing -= 1
            state.addresses += addresses
            guard state.missing == 0 else { return nil }
            defer { state.waiting = nil }
            return state.waiting
        }
        waiting?.resume()
    }

    /// Waits for all of them, and returns what they are bound to. One waiter. Throws when the task is cancelled first: a
    /// listener could not be bound, and nobody is to be told that the daemon is ready.
    func addresses() async throws -> [String] {
        await withTaskCancellationHandler {
            await withCheckedContinuation { continuation in
                let isDone = state.withLock { state in
                    if state.missing <= 0 || Task.isCancelled { return true }
                    state.waiting = continuation
                    return false
                }
                if isDone { continuation.resume() }
            }
        } onCancel: {
            let waiting = state.withLock { state in
                defer { state.waiting = nil }
                return state.waiting
            }
            waiting?.resume()
        }
        try Task.checkCancellation()
        return state.withLock { $0.addresses }
    }
}
