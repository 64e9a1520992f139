internal import FoundationEssentials
internal import Glibc
package import MillraceJSON

/// What came of the last reload by SIGHUP, beside the spool, for who sent the signal and waits. A new file each time. Blocks
/// on the disk.
package struct ReloadAnswerFile: Sendable {
    /// Tells one answer from the next; all zero where there is none.
    package struct Version: Equatable, Sendable {
        var inode: UInt = 0
        var seconds = 0
        var nanoseconds = 0
    }

    package let path: String

    package init(spoolDirectory: String) {
        path = spoolDirectory + "/reload.json"
    }

    package var version: Version {
        var status = stat()
        guard stat(path, &status) == 0 else { return Version() }
        return Version(
            inode: UInt(status.st_ino), seconds: status.st_mtim.tv_sec, nanoseconds: status.st_mtim.tv_nsec)
    }

    /// Empty where there is none.
    package var text: String {
        FileManager.default.contents(atPath: path).map { String(decoding: $0, as: UTF8.self) } ?? ""
    }

    /// Under another name first, so that a reader finds it whole.
    package func write(_ answer: some JSONShape) {
        let fresh = path + ".new"
        unlink(fresh)
        let descriptor = open(fresh, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0o600)
        guard descriptor >= 0 else { return }
        defer { close(descriptor) }
        let bytes = answer.json
        let count = bytes.withUnsafeBytes { Glibc.write(descriptor, $0.baseAddress, $0.count) }
        if count == bytes.count { rename(fresh, path) }
    }
}
