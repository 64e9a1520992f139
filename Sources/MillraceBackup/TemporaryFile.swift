internal import Glibc
internal import MillraceEvent
internal import MillraceSpool

/// A small file that goes with the object.
final class TemporaryFile {
    let path: String

    init(lines: [String]) throws(BackupError) {
        let directory = getenv("TMPDIR").map { String(cString: $0) } ?? "/tmp"
        path = "\(directory)/millrace-\(UniqueID.random())"
        let fileSystem = PosixFileSystem()
        do throws(FileSystemError) {
            let file = try fileSystem.open(path, .create)
            defer { fileSystem.close(file) }
            try fileSystem.write(Array(lines.map { $0 + "\n" }.joined().utf8), to: file, at: 0)
        } catch {
            throw BackupError(
                .writeFailed, "\(directory): \(String(cString: strerror(error.errno)))",
                hint: "Make room there, or set TMPDIR.")
        }
    }

    deinit { unlink(path) }
}
