import FoundationEssentials
import Glibc
import MillraceAPI
import MillracePostgres
import MillraceSpool

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
    private let directory: String

    init(spoolDirectory: String) {
        directory = spoolDirectory
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

    private func make() throws {
        let text = (0..<Self.bytes).map { _ in
            let hex = String(UInt8.random(in: .min ... .max), radix: 16)
            return hex.count < 2 ? "0" + hex : hex
        }.joined()
        // One that somebody made has somebody's mode.
        unlink(path + ".tmp")
        do throws(FileSystemError) {
            try PosixFileSystem().writeFile(Array(text.utf8), to: path, in: directory)
        } catch {
            throw Problem(
                description:
                    "\(path) can't be written: \(error); make room, let the daemon's user write there, or set "
                    + "api.cursor_key")
        }
    }
}
