internal import Glibc

/// Writes log lines on a thread of its own, so that a reader who stalls (a full pipe, a journal that hangs) stops nobody
/// who logs. What finds no room in the buffer is dropped and counted, and a line says so once the reader reads again.
///
/// Lives as long as the process.
package final class LogWriter: Sendable {
    // SAFETY: both allocated once and never freed; made for use by many threads.
    private nonisolated(unsafe) let mutex = UnsafeMutablePointer<pthread_mutex_t>.allocate(capacity: 1)
    // Signals work to the thread, and to whoever waits in `flush` that none is left.
    private nonisolated(unsafe) let condition = UnsafeMutablePointer<pthread_cond_t>.allocate(capacity: 1)
    // SAFETY: touched only with `mutex` held.
    private nonisolated(unsafe) var buffer: LogBuffer
    private nonisolated(unsafe) var dropped = 0
    private let descriptor: Int32
    private let notice: @Sendable (Int) -> String

    /// - Parameters:
    ///   - descriptor: written to by nobody else; may block.
    ///   - bytesMax: of lines that wait.
    ///   - notice: the line, newline included, that says how many are missing in its place.
    package init(descriptor: Int32, bytesMax: Int, notice: @escaping @Sendable (Int) -> String) {
        self.descriptor = descriptor
        self.notice = notice
        buffer = LogBuffer(bytesMax: bytesMax)
        pthread_mutex_init(mutex, nil)
        var attributes = pthread_condattr_t()
        pthread_condattr_init(&attributes)
        pthread_condattr_setclock(&attributes, CLOCK_MONOTONIC)
        pthread_cond_init(condition, &attributes)
        pthread_condattr_destroy(&attributes)
        start()
    }

    /// Lines that nobody will read, since the start: they found no room, or could not be written.
    package var droppedLines: Int { locked { dropped } }

    /// Takes one line, its newline included. Never blocks on the reader.
    package func write(_ line: String) {
        locked {
            if !buffer.add(line) { dropped += 1 }
            pthread_cond_broadcast(condition)
        }
    }

    /// Blocks until everything is written, at most `limit`. False when some of it is not.
    @discardableResult
    package func flush(within limit: Duration) -> Bool {
        var end = timespec()
        clock_gettime(CLOCK_MONOTONIC, &end)
        let (seconds, attoseconds) = limit.components
        end.tv_nsec += Int(attoseconds / 1_000_000_000)
        end.tv_sec += Int(seconds) + end.tv_nsec / 1_000_000_000
        end.tv_nsec %= 1_000_000_000
        return locked {
            while !buffer.isIdle {
                if pthread_cond_timedwait(condition, mutex, &end) == ETIMEDOUT { return buffer.isIdle }
            }
            return true
        }
    }

    private func locked<Result>(_ body: () -> Result) -> Result {
        pthread_mutex_lock(mutex)
        defer { pthread_mutex_unlock(mutex) }
        return body()
    }

    private func start() {
        var thread = pthread_t()
        let result = pthread_create(
            &thread, nil,
            { argument in
                guard let argument else { return nil }
                Unmanaged<LogWriter>.fromOpaque(argument).takeRetainedValue().run()
                return nil
            }, Unmanaged.passRetained(self).toOpaque())
        precondition(result == 0, "no thread could be started: raise TasksMax or the limit on processes (\(result))")
        pthread_detach(thread)
    }

    /// For `top -H`; `pthread_setname_np` is hidden from Swift by the C library's headers.
    private func nameThread() {
        let file = open("/proc/thread-self/comm", O_WRONLY | O_CLOEXEC)
        guard file >= 0 else { return }
        _ = Glibc.write(file, "log", 3)
        close(file)
    }

    private func run() {
        nameThread()
        while true {
            let entries = locked {
                while !buffer.hasWork { pthread_cond_wait(condition, mutex) }
                return buffer.take()
            }
            for entry in entries {
                let isWritten =
                    switch entry {
                    case .line(let line): writeOut(line)
                    case .notice(let dropped): writeOut(notice(dropped))
                    }
                locked {
                    dropped += buffer.ended(entry, isWritten: isWritten)
                    if buffer.isIdle { pthread_cond_broadcast(condition) }
                }
            }
        }
    }

    /// False when the reader is gone, or the disk is full.
    private func writeOut(_ line: String) -> Bool {
        var rest = Array(line.utf8)[...]
        while !rest.isEmpty {
            let count = rest.withUnsafeBytes { Glibc.write(descriptor, $0.baseAddress, $0.count) }
            if count > 0 {
                rest = rest.dropFirst(count)
            } else if errno == EAGAIN {
                // Another process that shares the terminal or pipe has made it non-blocking.
                var entry = pollfd(fd: descriptor, events: Int16(POLLOUT), revents: 0)
                poll(&entry, 1, -1)
            } else if errno != EINTR {
                return false
            }
        }
        return true
    }
}
