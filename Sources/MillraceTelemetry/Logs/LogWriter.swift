internal import Glibc
internal import MillraceThreads

/// Writes log lines on a thread of its own, so that a reader who stalls (a full pipe, a journal that hangs) stops nobody
/// who logs. What finds no room in the buffer is dropped and counted, and a line says so once the reader reads again.
///
/// Lives as long as the process.
package final class LogWriter: Sendable {
    private struct State {
        var buffer: LogBuffer
        var dropped = 0
    }

    /// Changes when there is work for the thread, and when none is left for whoever waits in `flush`.
    private let state: ConditionLock<State>
    private let descriptor: Int32
    private let notice: @Sendable (Int) -> String

    /// - Parameters:
    ///   - descriptor: written to by nobody else; may block.
    ///   - bytesMax: of lines that wait.
    ///   - notice: the line, newline included, that says how many are missing in its place.
    package init(descriptor: Int32, bytesMax: Int, notice: @escaping @Sendable (Int) -> String) {
        self.descriptor = descriptor
        self.notice = notice
        state = ConditionLock(State(buffer: LogBuffer(bytesMax: bytesMax)))
        DetachedThread.start(named: "log") { self.run() }
    }

    /// Lines that nobody will read, since the start: they found no room, or could not be written.
    package var droppedLines: Int { state.withLock { $0.dropped } }

    /// Takes one line, its newline included. Never blocks on the reader.
    package func write(_ line: String) {
        state.change { state in
            if !state.buffer.add(line) { state.dropped += 1 }
        }
    }

    /// Blocks until everything is written, at most `limit`. False when some of it is not.
    @discardableResult
    package func flush(within limit: Duration) -> Bool {
        state.wait(upTo: limit) { $0.buffer.isIdle ? true : nil } ?? false
    }

    private func run() {
        while true {
            let entries = state.wait { $0.buffer.hasWork ? $0.buffer.take() : nil }
            for entry in entries {
                let isWritten =
                    switch entry {
                    case .line(let line): writeOut(line)
                    case .notice(let dropped): writeOut(notice(dropped))
                    }
                state.change { $0.dropped += $0.buffer.ended(entry, isWritten: isWritten) }
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
