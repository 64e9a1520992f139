internal import Synchronization

/// Counts every open socket of one intake, whatever it is doing: waiting for a commit, or lingering over its refusal. At the
/// limit the kernel keeps who comes next, so that files stay for the rest of the daemon.
final class AcceptLimit: Sendable {
    private struct State {
        var open = 0
        var waiting: [@Sendable () -> Void] = []
    }

    private let max: Int
    private let state = Mutex(State())

    init(max: Int) {
        self.max = max
    }

    /// A socket was accepted. False when it was the last that may be; `onFree` is then called once another one has closed.
    func entered(_ onFree: @escaping @Sendable () -> Void) -> Bool {
        state.withLock { state in
            state.open += 1
            guard state.open >= max else { return true }
            state.waiting.append(onFree)
            return false
        }
    }

    func left() {
        let waiting = state.withLock { state in
            state.open -= 1
            defer { if state.open < max { state.waiting = [] } }
            return state.open < max ? state.waiting : []
        }
        for resume in waiting { resume() }
    }
}
