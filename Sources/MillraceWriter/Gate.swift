import Synchronization

/// A gate that tasks wait at while it is closed.
final class Gate: Sendable {
    private struct State {
        var isOpen: Bool
        var isFinished = false
        var waiting: [CheckedContinuation<Bool, Never>] = []
    }

    private let state: Mutex<State>
    private let onChange: @Sendable (Bool) -> Void

    /// `onChange`: told after each change, on the thread that caused it.
    init(isOpen: Bool, onChange: @escaping @Sendable (Bool) -> Void = { _ in }) {
        state = Mutex(State(isOpen: isOpen))
        self.onChange = onChange
    }

    var isOpen: Bool { state.withLock { $0.isOpen } }

    /// Waits until the gate is open; false when the stage ends instead.
    func waitUntilOpen() async -> Bool {
        await withCheckedContinuation { continuation in
            let answer = state.withLock { state -> Bool? in
                if state.isFinished { return false }
                if state.isOpen { return true }
                state.waiting.append(continuation)
                return nil
            }
            if let answer { continuation.resume(returning: answer) }
        }
    }

    func open() {
        change(to: true)
    }

    func close() {
        change(to: false)
    }

    /// Lets everyone go; nobody waits any more.
    func finish() {
        let waiting = state.withLock { state in
            state.isFinished = true
            defer { state.waiting = [] }
            return state.waiting
        }
        for continuation in waiting { continuation.resume(returning: false) }
    }

    private func change(to isOpen: Bool) {
        let (hasChanged, released) = state.withLock { state -> (Bool, [CheckedContinuation<Bool, Never>]) in
            let hasChanged = state.isOpen != isOpen
            state.isOpen = isOpen
            guard isOpen else { return (hasChanged, []) }
            defer { state.waiting = [] }
            return (hasChanged, state.waiting)
        }
        for continuation in released { continuation.resume(returning: true) }
        if hasChanged { onChange(isOpen) }
    }
}
