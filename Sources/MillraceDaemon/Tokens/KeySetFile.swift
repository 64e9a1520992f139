import FoundationEssentials
import MillraceSpool

/// The last key set that was fetched, beside the spool, for a start while its URL is away. Public keys only. Blocks on the
/// disk.
struct KeySetFile {
    /// The spool's: nobody else may write into it.
    private let directory: String
    let path: String

    init(spoolDirectory: String) {
        directory = spoolDirectory
        path = spoolDirectory + "/jwks.json"
    }

    /// Nil where there is none, or where it came from elsewhere.
    func read(from url: String) -> [UInt8]? {
        guard let bytes = FileManager.default.contents(atPath: path),
            let end = bytes.firstIndex(of: UInt8(ascii: "\n")), bytes[..<end].elementsEqual(url.utf8)
        else { return nil }
        return Array(bytes[bytes.index(after: end)...])
    }

    /// As a whole or not at all, durably. Throws `FileSystemError`.
    func write(_ set: [UInt8], from url: String) throws {
        try PosixFileSystem().writeFile(Array("\(url)\n".utf8) + set, to: path, in: directory)
    }
}
