import FoundationEssentials
import Glibc
import MillraceAPI
import MillracePostgres

/// The key that cursors of the read API are signed with: `api.cursor_key`, else a file beside the spool, made at the first
/// start, so that cursors outlive a restart. Blocks on the disk.
struct CursorKeyFile {
    /// Why there is no key, and what to do.
    struct Problem: Error, CustomStringConvertible {
        var description: String
    }

    private static let bytes = 32

    /// In the spool's directory, which must exist and be held by this process alone.
    let path: String

    init(spoolDirectory: String) {
        path = spoolDirectory + "/cursor.key"
    }

    func key(configured: Secret) throws -> CursorKey {
        if !configured.isEmpty {
            guard let key = CursorKey(Array(configured.value.utf8)) else {
                throw Problem(
                    description:
                        "api.cursor_key has fewer than \(CursorKey.bytesMin) bytes; write a longer one, such as "
                        + "that of `openssl rand -hex 32`")
            }
            return key
        }
        if access(path, F_OK) != 0 { try make() }
        guard let bytes = FileManager.default.contents(atPath: path), let key = CursorKey(Array(bytes)) else {
            throw Problem(
                description:
                    "\(path) can't be read, or holds no key; delete it: a new one is made, and cursors that were "
                    + "given before are refused")
        }
        return key
    }

    /// Under another name first, so that a crash leaves none that is short.
    private func make() throws {
        let text = (0..<Self.bytes).map { _ in
            let hex = String(UInt8.random(in: .min ... .max), radix: 16)
            return hex.count < 2 ? "0" + hex : hex
        }.joined()
        let fresh = path + ".new"
        unlink(fresh)
        let descriptor = open(fresh, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0o600)
        guard descriptor >= 0 else { throw failure() }
        defer { close(descriptor) }
        let bytes = Array(text.utf8)
        guard bytes.withUnsafeBytes({ write(descriptor, $0.baseAddress, $0.count) }) == bytes.count,
            fsync(descriptor) == 0, rename(fresh, path) == 0
        else { throw failure() }
    }

    private func failure() -> Problem {
        Problem(
            description:
                "\(path) can't be written: \(String(cString: strerror(errno))); make room, let the daemon's user write "
                + "there, or set api.cursor_key")
    }
}
