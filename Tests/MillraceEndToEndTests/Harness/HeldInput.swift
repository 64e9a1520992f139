import Glibc
import MillraceTestSupport

/// A named pipe that gives the first half of some bytes at once, and the rest once it is released: until then whoever reads
/// it has not come to its end, however fast it is.
final class HeldInput {
    let path: String
    private let isReleased = ManagedFlag()
    private let writer: BackgroundThread

    init(_ bytes: [UInt8], at path: String) throws {
        self.path = path
        guard mkfifo(path, 0o600) == 0 else { throw TestSupportError(message: "no pipe at \(path)") }
        let isReleased = isReleased
        writer = BackgroundThread {
            // A reader that died is an error of `write`, not the end of the tests.
            var pipe = sigset_t()
            sigemptyset(&pipe)
            sigaddset(&pipe, SIGPIPE)
            pthread_sigmask(SIG_BLOCK, &pipe, nil)
            let descriptor = open(path, O_WRONLY | O_CLOEXEC)
            defer { close(descriptor) }
            try Self.write(bytes[..<(bytes.count / 2)], to: descriptor)
            guard eventually(within: .seconds(300), { isReleased.isSet }) else {
                throw TestSupportError(message: "\(path) was not released")
            }
            try Self.write(bytes[(bytes.count / 2)...], to: descriptor)
        }
    }

    /// Gives the rest. Does not wait until it is read.
    func release() { isReleased.set() }

    /// Waits until all of it is read. Once only.
    func finish() throws { try writer.join() }

    private static func write(_ bytes: ArraySlice<UInt8>, to descriptor: Int32) throws {
        var rest = bytes
        while !rest.isEmpty {
            let count = rest.withUnsafeBytes { Glibc.write(descriptor, $0.baseAddress, $0.count) }
            guard count > 0 else {
                throw TestSupportError(message: "the pipe is not read: \(String(cString: strerror(errno)))")
            }
            rest = rest.dropFirst(count)
        }
    }
}
