import Glibc
import MillraceTestSupport

/// A small file system of its own; unmounted with the object. Only root may make one.
final class SmallDisk {
    let path: String
    private let scratch: ScratchDirectory

    init(bytes: Int) throws {
        scratch = try ScratchDirectory()
        path = scratch.path + "/disk"
        mkdir(path, 0o755)
        guard mount("tmpfs", path, "tmpfs", 0, "size=\(bytes)") == 0 else {
            throw TestSupportError(message: "no tmpfs at \(path): \(String(cString: strerror(errno)))")
        }
    }

    /// Another file takes all but `bytes`; returns its path.
    @discardableResult
    func fill(leaving bytes: Int) throws -> String {
        let ballast = path + "/ballast"
        let file = open(ballast, O_CREAT | O_WRONLY | O_CLOEXEC, 0o600)
        defer { close(file) }
        let piece = 64 << 10
        var taken = 0
        while posix_fallocate(file, off_t(taken), off_t(piece)) == 0 { taken += piece }
        guard ftruncate(file, off_t(taken - bytes)) == 0 else {
            throw TestSupportError(message: "\(ballast) can't be filled: \(String(cString: strerror(errno)))")
        }
        return ballast
    }

    deinit { umount2(path, Int32(MNT_DETACH)) }

    static let isPermitted = (try? SmallDisk(bytes: 1 << 20)) != nil
}
