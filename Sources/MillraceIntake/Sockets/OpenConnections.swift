internal import Synchronization

/// The open connections of one intake, to tell them of what concerns them all: a new configuration.
final class OpenConnections: Sendable {
    /// Names one of them.
    struct Registration: Hashable {
        fileprivate var number: UInt64
    }

    private struct State {
        var next: UInt64 = 0
        var tell: [Registration: @Sendable () -> Void] = [:]
    }

    private let state = Mutex(State())

    /// `tell` is called on any thread, and must not block. Until `remove`.
    func add(_ tell: @escaping @Sendable () -> Void) -> Registration {
        state.withLock { state in
            state.next += 1
            let registration = Registration(number: state.next)
            state.tell[registration] = tell
            return registration
        }
    }

    func remove(_ registration: Registration) {
        // Let go of outside the lock.
        _ = state.withLock { $0.tell.removeValue(forKey: registration) }
    }

    func tellAll() {
        for tell in state.withLock({ Array($0.tell.values) }) { tell() }
    }
}
