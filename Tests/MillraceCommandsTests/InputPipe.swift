import Glibc
import MillraceTestSupport

/// A pipe that gives `bytes`, in pieces of at most `pieceBytes`.
final class InputPipe {
    let descriptor: Int32
    private let thread: BackgroundThread

    init(_ bytes: [UInt8], pieceBytes: Int = 4096) {
        var ends: [Int32] = [-1, -1]
        pipe(&ends)
        descriptor = ends[0]
        let target = ends[1]
        thread = BackgroundThread {
            var rest = bytes[...]
            while !rest.isEmpty {
                let count = rest.prefix(pieceBytes).withUnsafeBytes { write(target, $0.baseAddress, $0.count) }
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
