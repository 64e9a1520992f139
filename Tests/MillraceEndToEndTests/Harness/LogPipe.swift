import Glibc
import MillraceTestSupport

/// A pipe for a daemon's standard error that is read only when a test wants.
final class LogPipe {
    let path: String
    private var descriptor: Int32
    /// All that was read.
    private(set) var text = ""

    init(_ path: String) throws {
        self.path = path
        guard mkfifo(path, 0o600) == 0 else { throw TestSupportError(message: "no pipe at \(path)") }
        // With a reader there, opening it for writing does not wait.
        descriptor = open(path, O_RDONLY | O_NONBLOCK | O_CLOEXEC)
        guard descriptor >= 0 else { throw TestSupportError(message: "\(path) can't be opened") }
    }

    deinit { closeReading() }

    /// Takes what is there now.
    func read() {
        var piece = [UInt8](repeating: 0, count: 1 << 16)
        while true {
            let count = Glibc.read(descriptor, &piece, piece.count)
            guard count > 0 else { return }
            text += String(decoding: piece[..<count], as: UTF8.self)
        }
    }

    /// Reads on until `condition` holds of all that was read.
    func read(until condition: (String) -> Bool) -> Bool {
        eventually {
            read()
            return condition(text)
        }
    }

    func closeReading() {
        if descriptor >= 0 { close(descriptor) }
        descriptor = -1
    }
}
