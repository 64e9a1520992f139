internal import Glibc

/// A thread that nobody joins: it ends when its work does.
package final class DetachedThread: Sendable {
    private let name: String
    private let work: @Sendable () -> Void

    private init(name: String, work: @escaping @Sendable () -> Void) {
        self.name = name
        self.work = work
    }

    /// Starts a thread that does `work`. `name`: shown by `top -H`; the kernel keeps 15 bytes.
    package static func start(named name: String, _ work: @escaping @Sendable () -> Void) {
        DetachedThread(name: name, work: work).start()
    }

    private func start() {
        var thread = pthread_t()
        let result = pthread_create(
            &thread, nil,
            { argument in
                guard let argument else { return nil }
                let thread = Unmanaged<DetachedThread>.fromOpaque(argument).takeRetainedValue()
                thread.takeName()
                thread.work()
                return nil
            }, Unmanaged.passRetained(self).toOpaque())
        precondition(result == 0, "no thread could be started: raise TasksMax or the limit on processes (\(result))")
        pthread_detach(thread)
    }

    /// `pthread_setname_np` and `prctl` are hidden from Swift by the C library's headers.
    private func takeName() {
        let file = open("/proc/thread-self/comm", O_WRONLY | O_CLOEXEC)
        guard file >= 0 else { return }
        _ = write(file, name, min(name.utf8.count, 15))
        close(file)
    }
}
