internal import FoundationEssentials
internal import Glibc
import MillraceSpool

/// `erasures.ndjson`: erasures of users, kept outside the database, so that a backup which is older than one brings nobody
/// back. One is beside each daemon's spool, written before the spool's part of an erasure is said to be done; a copy,
/// `erasures-SPOOL.ndjson`, is in the folder of the backups, as far as the daemon may write there, beside that of the commands,
/// `erasures-commands.ndjson`. Salted hashes, no ids; mode 0600. Blocks on the disk.
///
///     {"database": "…", "row": {"erasure_id": "…", "fold": "…", "key_hash": "\\x…", "tenant_id": 0}, "table": "erasure_keys"}
///     {"database": "…", "row": {"id": "…", "user_hash": "\\x…", …}, "table": "erasures"}
///
/// The keys of an erasure come before it: one whose line is there is whole. A line that a crash cut off is written over.
package struct ErasureJournal {
    private static let fileName = "erasures.ndjson"
    private static let newline = UInt8(ascii: "\n")

    private let directory: String
    package let path: String
    private let fileSystem = PosixFileSystem()

    private init(_ directory: String, _ name: String) {
        self.directory = directory
        path = "\(directory)/\(name)"
    }

    package init(besideSpool directory: String) { self.init(directory, Self.fileName) }

    /// `spool`: its id.
    package init(besideBackups directory: String, spool: String) { self.init(directory, "erasures-\(spool).ndjson") }

    /// Those of all daemons in a folder of backups.
    package static func all(besideBackups directory: String) throws -> [ErasureJournal] {
        let names: [String]
        do throws(FileSystemError) {
            names = try PosixFileSystem().list(directory)
        } catch {
            guard error.isMissing else { throw error }
            return []
        }
        return names.filter { $0.hasPrefix("erasures-") && $0.hasSuffix(".ndjson") }.sorted().map {
            ErasureJournal(directory, $0)
        }
    }

    package var hasFolder: Bool { FileTree.status(directory) != nil }
    package var isThere: Bool { FileTree.status(path) != nil }

    /// Whole ones; none where it is not there.
    package func lines() throws -> [String] {
        let bytes = try whole(path)
        let end = bytes.lastIndex(of: Self.newline) ?? 0
        return bytes[..<end].split(separator: Self.newline).map { String(decoding: $0, as: UTF8.self) }
    }

    /// Empty where it is missing.
    private func whole(_ path: String) throws(FileSystemError) -> [UInt8] {
        let size = FileTree.status(path).map { Int($0.st_size) } ?? 0
        return try fileSystem.readFile(path, bytesMax: max(1, size)) ?? []
    }

    /// Durably; made where it is missing.
    package func append(_ lines: [String]) throws {
        let isNew = !isThere
        let file = try fileSystem.open(path, .ensure)
        defer { fileSystem.close(file) }
        guard try fileSystem.lockInTime(file) else { throw FileSystemError(.lock, errno: EWOULDBLOCK) }
        let end = try endOfLines(file)
        try fileSystem.truncate(file, to: end)
        try fileSystem.write(Array(lines.map { $0 + "\n" }.joined().utf8), to: file, at: end)
        try fileSystem.synchronize(file)
        if isNew { try fileSystem.synchronizeDirectory(directory) }
    }

    /// Makes `copy` the same, where it is not as long. Nothing where its folder is missing.
    package func copy(to copy: ErasureJournal) throws {
        guard let size = FileTree.status(path)?.st_size, copy.hasFolder,
            FileTree.status(copy.path)?.st_size != size
        else { return }
        let bytes = try fileSystem.readFile(path, bytesMax: Int(size)) ?? []
        try fileSystem.writeFile(bytes, to: copy.path, in: copy.directory)
    }

    /// After the last whole line.
    private func endOfLines(_ file: FileID) throws -> Int {
        let size = try fileSystem.size(of: file)
        var end = size
        let buffer = UnsafeMutableRawBufferPointer.allocate(byteCount: 4096, alignment: 16)
        defer { buffer.deallocate() }
        while end > 0 {
            let start = max(0, end - buffer.count)
            let part = UnsafeMutableRawBufferPointer(rebasing: buffer[..<(end - start)])
            let count = try fileSystem.readAll(into: part, from: file, at: start)
            if let last = part[..<count].lastIndex(of: Self.newline) { return start + last + 1 }
            end = start
        }
        return 0
    }

    // MARK: - What is to be looked at again

    /// `erasures.due`: erasures whose users have to be looked for once the spool's lines are in the tables.
    private var duePath: String { "\(directory)/erasures.due" }

    /// Their ids.
    package func due() throws -> [String] {
        try whole(duePath).split(separator: Self.newline).map { String(decoding: $0, as: UTF8.self) }
    }

    /// Durably; beside those that were there.
    package func addDue(_ erasures: [String]) throws {
        guard !erasures.isEmpty else { return }
        let all = Set(try due() + erasures).sorted()
        try fileSystem.writeFile(Array(all.map { $0 + "\n" }.joined().utf8), to: duePath, in: directory)
    }

    package func removeDue() throws {
        do throws(FileSystemError) {
            try fileSystem.remove(duePath)
        } catch {
            guard error.isMissing else { throw error }
        }
    }
}

extension ErasureJournal {
    private struct Line: Decodable {
        struct Row: Decodable { var id: String? }

        var table: String
        var database: String?
        var row: Row
    }

    /// The database that a line is of, and the erasure's id; nil where it is about another thing.
    package static func erasure(in line: String) -> (database: String?, id: String)? {
        guard let line = try? JSONDecoder().decode(Line.self, from: Data(line.utf8)), line.table == "erasures",
            let id = line.row.id
        else { return nil }
        return (line.database, id)
    }
}
