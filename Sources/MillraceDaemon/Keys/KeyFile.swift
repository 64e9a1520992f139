import FoundationEssentials
import Glibc
import MillraceAccess
import MillraceEvent
import MillraceSpool

/// The last known keys, beside the spool, so that they open while PostgreSQL is away at a start too. Hashes of secrets, never
/// secrets. Blocks on the disk.
///
/// ```
/// millrace-keys 1 <CRC-32C of the rest, in hexadecimal>
/// <a JSON object, see `Content`>
/// ```
struct KeyFile {
    struct Content: Codable, Equatable {
        /// The connection string that they came by, without its password.
        var database: String
        /// Of `access_keys_state`.
        var state: String
        /// Whether any key was ever made there.
        var areAnyKnown: Bool
        var keys: [KeyRecord]
    }

    /// Why a file is not to be trusted.
    enum Flaw: Error, Equatable, CustomStringConvertible {
        case unreadable(String)
        case othersMayChangeIt
        case damaged
        case ofAnotherDatabase

        var description: String {
            switch self {
            case .unreadable(let reason): "it can't be read: \(reason)"
            case .othersMayChangeIt: "it is not the daemon's own, or its mode is not 0600"
            case .damaged: "it is damaged"
            case .ofAnotherDatabase: "its keys are of another database.url"
            }
        }
    }

    private static let name = "keys.json"
    private static let title = "millrace-keys 1 "
    /// Far above what `auth.keys_max` keys can have.
    private static let bytesMax = 4 << 30

    private let directory: String
    let path: String

    /// `directory`: the spool's, which must exist and be held by this process alone.
    init(directory: String) {
        self.directory = directory
        path = "\(directory)/\(Self.name)"
    }

    /// Nil where there is none. Throws `Flaw`.
    ///
    /// - Parameter database: what `Content.database` must be.
    func read(of database: String) throws(Flaw) -> Content? {
        let descriptor = open(path, O_RDONLY | O_CLOEXEC | O_NOFOLLOW)
        guard descriptor >= 0 else {
            if errno == ENOENT { return nil }
            throw .unreadable(String(cString: strerror(errno)))
        }
        defer { close(descriptor) }
        var status = stat()
        guard fstat(descriptor, &status) == 0 else { throw .unreadable(String(cString: strerror(errno))) }
        guard status.st_mode & S_IFMT == S_IFREG, status.st_mode & 0o077 == 0, status.st_uid == geteuid() else {
            throw .othersMayChangeIt
        }
        guard status.st_size <= Self.bytesMax else { throw .damaged }
        let bytes = try Self.bytes(of: descriptor, count: Int(status.st_size))
        guard let content = Self.content(of: bytes) else { throw .damaged }
        guard content.database == database else { throw .ofAnotherDatabase }
        return content
    }

    /// Puts it there as a whole or not at all, durably.
    func write(_ content: Content) throws {
        let encoder = JSONEncoder()
        encoder.outputFormatting = [.sortedKeys]
        let body = [UInt8](try encoder.encode(content))
        let files = PosixFileSystem()
        // One that somebody made has somebody's mode.
        unlink(path + ".tmp")
        try files.writeFile(
            Array("\(Self.title)\(Self.checksum(of: body))\n".utf8) + body, to: path, in: directory)
    }

    private static func bytes(of descriptor: Int32, count: Int) throws(Flaw) -> [UInt8] {
        var bytes = [UInt8](repeating: 0, count: count)
        var filled = 0
        while filled < count {
            let read = bytes.withUnsafeMutableBytes { buffer in
                Glibc.read(descriptor, buffer.baseAddress?.advanced(by: filled), count - filled)
            }
            guard read >= 0 else { throw .unreadable(String(cString: strerror(errno))) }
            if read == 0 { break }
            filled += read
        }
        return Array(bytes.prefix(filled))
    }

    private static func content(of bytes: [UInt8]) -> Content? {
        guard let end = bytes.firstIndex(of: UInt8(ascii: "\n")) else { return nil }
        let body = Array(bytes[(end + 1)...])
        guard bytes[..<end].elementsEqual("\(title)\(checksum(of: body))".utf8) else { return nil }
        return try? JSONDecoder().decode(Content.self, from: Data(body))
    }

    private static func checksum(of body: [UInt8]) -> String {
        String(body.withUnsafeBytes { Checksum.crc32c($0) }, radix: 16)
    }
}
