import FoundationEssentials
import Glibc

/// The last key set that was fetched, beside the spool, for a start while its URL is away. Public keys only. Blocks on the
/// disk.
struct KeySetFile {
    /// Nobody else may write into the spool's directory.
    let path: String

    init(spoolDirectory: String) {
        path = spoolDirectory + "/jwks.json"
    }

    /// Nil where there is none, or where it came from elsewhere.
    func read(from url: String) -> [UInt8]? {
        guard let bytes = FileManager.default.contents(atPath: path),
            let end = bytes.firstIndex(of: UInt8(ascii: "\n")), bytes[..<end].elementsEqual(url.utf8)
        else { return nil }
        return Array(bytes[bytes.index(after: end)...])
    }

    /// Under another name first, so that a crash leaves none that is short. False where it can't be written.
    func write(_ set: [UInt8], from url: String) -> Bool {
        let fresh = path + ".new"
        unlink(fresh)
        let descriptor = open(fresh, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0o600)
        guard descriptor >= 0 else { return false }
        defer { close(descriptor) }
        let bytes = Array(url.utf8) + [UInt8(ascii: "\n")] + set
        return bytes.withUnsafeBytes { Glibc.write(descriptor, $0.baseAddress, $0.count) } == bytes.count
            && fsync(descriptor) == 0 && rename(fresh, path) == 0
    }
}
