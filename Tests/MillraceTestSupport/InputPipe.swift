import Glibc

/// A stream that gives `bytes`, in pieces of at most `pieceBytes`.
package final class InputPipe {
    package let descriptor: Int32
    private let thread: BackgroundThread

    package init(_ bytes: [UInt8], pieceBytes: Int = 4096) {
        var ends: [Int32] = [-1, -1]
        // A socket pair, because it is born with close-on-exec: a PostgreSQL that another test starts meanwhile would
        // else keep the writing end open, and the reader would wait for the end for ever.
        socketpair(AF_UNIX, Int32(SOCK_STREAM.rawValue | SOCK_CLOEXEC.rawValue), 0, &ends)
        descriptor = ends[0]
        let target = ends[1]
        thread = BackgroundThread {
            var rest = bytes[...]
            while !rest.isEmpty {
                let count = rest.prefix(pieceBytes).withUnsafeBytes {
                    send(target, $0.baseAddress, $0.count, Int32(MSG_NOSIGNAL))
                }
                guard count > 0 else { break }
                rest = rest.dropFirst(count)
            }
            close(target)
        }
    }

    deinit {
        close(descriptor)
        try? thread.join()
    }
}
