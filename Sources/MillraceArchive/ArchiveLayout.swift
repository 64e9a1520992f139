internal import Glibc
internal import MillracePostgres

/// Where the files of a month lie, as DuckDB, ClickHouse and Spark look for them:
///
/// ```
/// DIRECTORY/analytics_events/year=2026/month=08/part-0000.ndjson.zst …
///                                              /manifest.json
/// DIRECTORY/.work/analytics_events-2026-08…    what is being written or fetched
/// ```
struct ArchiveLayout {
    static let manifestName = "manifest.json"

    let directory: String
    let table: PartitionedTable
    let month: PartitionMonth

    /// `analytics_events/year=2026/month=08`: in the archive, whatever holds it.
    var name: String {
        "\(table.rawValue)/year=\(month.label.prefix(4))/month=\(month.label.suffix(2))"
    }

    /// The finished archive.
    var path: String { "\(directory)/\(name)" }

    /// While it is written.
    var writing: String { "\(directory)/.work/\(table.rawValue)-\(month.label)" }

    /// An older archive of the month, until the new one is in its place.
    var replaced: String { writing + ".replaced" }

    /// While it is fetched.
    var fetching: String { writing + ".fetched" }

    static func partName(_ number: Int) -> String {
        let digits = String(number)
        return "part-\(String(repeating: "0", count: max(0, 4 - digits.count)))\(digits).ndjson.zst"
    }
}

/// What the archive asks of the disk. Everything blocks and throws `ArchiveError` with code `archive_disk`.
enum ArchiveDisk {
    /// Makes it and its parents, each durable in its parent.
    static func makeDirectory(_ path: String) throws(ArchiveError) {
        if isDirectory(path) { return }
        let parent = parent(of: path)
        if parent != path { try makeDirectory(parent) }
        guard mkdir(path, 0o750) == 0 || errno == EEXIST else { throw failure(path) }
        try synchronize(parent)
    }

    /// Removes a directory of files and itself; nothing where it is not there.
    static func remove(_ path: String) throws(ArchiveError) {
        guard isDirectory(path) else { return }
        for name in try names(in: path) where unlink("\(path)/\(name)") != 0 && errno != ENOENT {
            throw failure("\(path)/\(name)")
        }
        guard rmdir(path) == 0 || errno == ENOENT else { throw failure(path) }
    }

    static func move(_ path: String, to target: String) throws(ArchiveError) {
        guard rename(path, target) == 0 else { throw failure(target) }
        try synchronize(parent(of: target))
    }

    /// Makes the names in a directory durable.
    static func synchronize(_ path: String) throws(ArchiveError) {
        let descriptor = open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC)
        guard descriptor >= 0 else { throw failure(path) }
        defer { close(descriptor) }
        guard fsync(descriptor) == 0 else { throw failure(path) }
    }

    static func isDirectory(_ path: String) -> Bool {
        let descriptor = open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC)
        guard descriptor >= 0 else { return false }
        close(descriptor)
        return true
    }

    static func names(in path: String) throws(ArchiveError) -> [String] {
        guard let directory = opendir(path) else { throw failure(path) }
        defer { closedir(directory) }
        var names: [String] = []
        while let entry = readdir(directory) {
            let name = withUnsafeBytes(of: entry.pointee.d_name) { bytes in
                String(decoding: bytes.prefix { $0 != 0 }, as: UTF8.self)
            }
            if name != ".", name != ".." { names.append(name) }
        }
        return names
    }

    static func failure(_ path: String) -> ArchiveError { .disk(path, String(cString: strerror(errno))) }

    static func parent(of path: String) -> String {
        guard let slash = path.lastIndex(of: "/") else { return "." }
        return slash == path.startIndex ? "/" : String(path[..<slash])
    }
}
