internal import Glibc
internal import MillraceEvent

/// A small file that goes with the object.
final class TemporaryFile {
    let path: String

    init(lines: [String]) throws(BackupError) {
        let directory = getenv("TMPDIR").map { String(cString: $0) } ?? "/tmp"
        path = "\(directory)/millrace-\(UniqueID.random())"
        let descriptor = open(path, O_CREAT | O_EXCL | O_WRONLY | O_CLOEXEC, 0o600)
        guard descriptor >= 0 else { throw Self.failure(directory) }
        defer { close(descriptor) }
        var bytes = Array(lines.map { $0 + "\n" }.joined().utf8)[...]
        while !bytes.isEmpty {
            let count = bytes.withUnsafeBytes { write(descriptor, $0.baseAddress, $0.count) }
            guard count > 0 else { throw Self.failure(directory) }
            bytes = bytes.dropFirst(count)
        }
    }

    deinit { unlink(path) }

    private static func failure(_ directory: String) -> BackupError {
        BackupError(
            .writeFailed, "\(directory): \(String(cString: strerror(errno)))", hint: "Make room there, or set TMPDIR.")
    }
}
