import Glibc
import MillraceTestSupport

/// A named pipe that gives some bytes at once, and the rest once it is released: until then whoever reads it has not come to
/// its end, however fast it is.
final class HeldInput {
    let path: String
    private let isReleased = ManagedFlag()
    private let writer: BackgroundThread

    /// Holds the second half.
    convenience init(_ bytes: [UInt8], at path: String) throws {
        let half = bytes.count / 2
        try self.init(Array(bytes[..<half]), then: Array(bytes[half...]), at: path)
    }

    init(_ first: [UInt8], then rest: [UInt8], at path: String) throws {
        self.path = path
        guard mkfifo(path, 0o600) == 0 else { throw TestSupportError(message: "no pipe at \(path)") }
        let isReleased = isReleased
        writer = BackgroundThread {
            // A reader that died is an error of `write`, not the end of the tests.
            var pipe = sigset_t()
            sigemptyset(&pipe)
            sigaddset(&pipe, SIGPIPE)
            pthread_sigmask(SIG_BLOCK, &pipe, nil)
            // As long as it is open the reader finds no end.
            let descriptor = open(path, O_WRONLY | O_CLOEXEC)
            defer { close(descriptor) }
            try TextFile.write(first, to: path)
            guard eventually(within: .seconds(300), { isReleased.isSet }) else {
                throw TestSupportError(message: "\(path) was not released")
            }
            try TextFile.write(rest, to: path)
        }
    }

    /// Gives the rest. Does not wait until it is read.
    func release() { isReleased.set() }

    /// Waits until all of it is read. Once only.
    func finish() throws { try writer.join() }
}
