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

    deinit { umount2(path, Int32(MNT_DETACH)) }

    static let isPermitted = (try? SmallDisk(bytes: 1 << 20)) != nil
}
