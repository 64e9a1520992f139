internal import MillraceThreads

/// Lets one dedicated thread sleep until it is signalled or a time has passed. A signal that comes early is kept.
final class Wakeup: Sendable {
    private let isSignalled = ConditionLock(false)

    func signal() {
        isSignalled.change { $0 = true }
    }

    /// Blocks the calling thread until a signal or for `duration`, and takes the signal.
    func wait(upTo duration: Duration) {
        isSignalled.wait(upTo: duration) { isSignalled -> Void? in
            guard isSignalled else { return nil }
            isSignalled = false
            return ()
        }
    }
}
