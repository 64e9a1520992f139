internal import Glibc

/// A small file that goes with the object.
final class TemporaryFile {
    let path: String

    init(lines: [String]) throws(BackupError) {
        let directory = getenv("TMPDIR").map { String(cString: $0) } ?? "/tmp"
        var template = Array("\(directory)/millrace-XXXXXX".utf8CString)
        let descriptor = mkstemp(&template)
        path = String(decoding: template.dropLast().map { UInt8(bitPattern: $0) }, as: UTF8.self)
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
