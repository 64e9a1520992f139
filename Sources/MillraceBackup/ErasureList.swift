import MillracePostgres
import MillraceSpool

/// `erasures.ndjson` of a backup: the erasures of users that the database knew, as `ErasureRows` has them. A backup that is
/// restored may be older than some of them; the list of a newer one says which.
enum ErasureList {
    static let fileName = "erasures.ndjson"

    /// In the transaction of the dump.
    static func write(to path: String, in directory: String, on connection: PostgresConnection) throws {
        let rows = ErasureRows(on: connection)
        guard try rows.areThere else { return }
        let text = try rows.all().map { $0 + "\n" }.joined()
        try PosixFileSystem().writeFile(Array(text.utf8), to: path, in: directory)
    }
}

extension BackupStore {
    /// The lists of all whole backups that are of the same database as `manifest`, and newer.
    package func erasures(after manifest: BackupManifest) throws -> [String] {
        var lines: [String] = []
        for name in try names() {
            guard let other = try? self.manifest(of: name), other.database.databaseId == manifest.database.databaseId,
                other.begunAt > manifest.begunAt,
                let list = other.files.first(where: { $0.path == ErasureList.fileName }),
                let bytes = try PosixFileSystem().readFile(
                    "\(path(name))/\(ErasureList.fileName)", bytesMax: max(1, list.bytes))
            else { continue }
            lines += bytes.split(separator: UInt8(ascii: "\n")).map { String(decoding: $0, as: UTF8.self) }
        }
        return lines
    }
}
