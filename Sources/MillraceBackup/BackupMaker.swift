internal import Glibc
import MillraceEvent
package import MillracePostgres
import MillraceSpool

/// Makes one backup. Blocks; the daemon goes on meanwhile.
///
/// The spool is copied first, then the database is read as it is at one later moment. So each line that was acknowledged
/// before the backup began is in it: in a segment that was copied, or, if the daemon had retired that one, in the database,
/// since it retires no other.
package struct BackupMaker {
    package enum Step: String, Sendable {
        case spool = "copying the spool"
        case database = "dumping the database"
        case base = "copying the cluster"
        case checksums = "reading for checksums"
    }

    package struct Source: Sendable {
        package var connectionString: String
        package var spoolDirectory: String
        package var millrace: String
        package var host: String

        package init(connectionString: String, spoolDirectory: String, millrace: String, host: String) {
            self.connectionString = connectionString
            self.spoolDirectory = spoolDirectory
            self.millrace = millrace
            self.host = host
        }
    }

    private let configuration: BackupConfiguration
    private let store: BackupStore
    private let source: Source
    private let lock: BackupLock

    /// `configuration`: with `directory` in its place, whose lock the maker holds as long as there is one. Throws `busy`.
    package init(_ configuration: BackupConfiguration, source: Source) throws(BackupError) {
        self.configuration = configuration
        store = BackupStore(directory: configuration.directory)
        self.source = source
        lock = try store.lock()
    }

    /// A dump. Throws `BackupError`, `PostgresError`, `SpoolError`; what was begun is removed then.
    package func dump(progress: (Step, Double) -> Void) throws -> (name: BackupName, manifest: BackupManifest) {
        try make(.dump, progress) { draft in
            let dump = DatabaseDump(
                source.connectionString, jobs: configuration.jobs, compression: configuration.compression, lock: lock)
            return try dump.run(in: draft) { progress(.database, $0) }
        }
    }

    /// A copy of the embedded `cluster`.
    package func base(
        of cluster: EmbeddedCluster, progress: (Step, Double) -> Void
    ) throws -> (name: BackupName, manifest: BackupManifest) {
        try make(.base, progress) { draft in
            let connection = try PostgresConnection(
                connectionString: source.connectionString, applicationName: "millrace backup",
                connectTimeout: .seconds(30), interrupt: PostgresInterrupt())
            var facts = try DatabaseFacts(connection: connection).read(try connection.serverIdentity())
            try cluster.copyBase(to: "\(draft)/\(BackupStore.database)", holding: lock.descriptor) {
                progress(.base, $0)
            }
            try ErasureList.write(to: "\(draft)/\(ErasureList.fileName)", in: draft, on: connection)
            facts.startSegment = try Self.startSegment(in: "\(draft)/\(BackupStore.database)")
            return facts
        }
    }

    private func make(
        _ kind: BackupName.Kind, _ progress: (Step, Double) -> Void,
        _ database: (_ draft: String) throws -> BackupManifest.Database
    ) throws -> (BackupName, BackupManifest) {
        var begunAt = Timestamp.now
        if store.holds(BackupName(kind, at: begunAt)) {
            // The next name is a second away.
            usleep(useconds_t(1_000_000 - begunAt.microseconds % 1_000_000))
            begunAt = .now
        }
        let name = BackupName(kind, at: begunAt)
        let draft = try store.begin(name)
        do {
            let spool = try copySpool(to: "\(draft)/\(BackupStore.spool)") { progress(.spool, $0) }
            let facts = try database(draft)
            var manifest = BackupManifest(
                kind: kind, millrace: source.millrace, host: source.host, begunAt: begunAt.rfc3339,
                endedAt: Timestamp.now.rfc3339, database: facts, spool: spool)
            let total = Double(max(1, FileTree(draft).bytes))
            if kind == .base { manifest.clusterBytes = FileTree("\(draft)/\(BackupStore.database)").bytes }
            let isListedElsewhere = { (file: String) in
                kind == .base && file.hasPrefix(BackupStore.database + "/") && !file.hasSuffix("/backup_manifest")
            }
            let whole = try store.finish(name, manifest, leavingOut: isListedElsewhere) { bytes in
                progress(.checksums, Double(bytes) / total)
            }
            return (name, whole)
        } catch {
            store.abandon(name)
            if let error = error as? FileSystemError { throw store.writing(error) }
            throw error
        }
    }

    private func copySpool(to target: String, progress: (Double) -> Void) throws -> BackupManifest.Spool? {
        let total = Double(max(1, FileTree(source.spoolDirectory).bytes))
        guard
            let report = try SpoolCopy(directory: source.spoolDirectory).run(
                to: target,
                progress: { bytes in
                    progress(Double(bytes) / total)
                }), let id = report.spoolID
        else { return nil }
        let segments = report.segments.map { segment in
            BackupManifest.Segment(
                number: segment.number, first: segment.sequences.lowerBound, end: segment.sequences.upperBound,
                bytes: segment.fileBytes)
        }
        return BackupManifest.Spool(spoolId: "\(id)", end: segments.map(\.end).max() ?? 0, segments: segments)
    }

    /// Of `backup_label`: `START WAL LOCATION: 0/5000028 (file 000000010000000000000005)`.
    private static func startSegment(in copy: String) throws -> String? {
        let label = try PosixFileSystem().readFile("\(copy)/backup_label") ?? []
        let text = String(decoding: label, as: UTF8.self)
        return text.firstMatch(of: #/START WAL LOCATION: \S+ \(file ([0-9A-F]{24})\)/#).map { String($0.output.1) }
    }

    // MARK: - What goes

    /// Removes backups by count and age, and the log that no base backup needs any more. Returns the names.
    package func prune() throws(BackupError) -> [BackupName] {
        let names = try store.names()
        // What is damaged may be the newest.
        let whole = BackupName.Kind.allCases.compactMap { kind in
            names.last { $0.kind == kind && store.looksWhole($0) }
        }
        let outdated = BackupStore.outdated(
            names, keep: configuration.keep, age: configuration.keepAge, at: .now
        ).filter { !whole.contains($0) }
        for name in outdated { try store.remove(name) }
        try pruneLog()
        return outdated
    }

    private func pruneLog() throws(BackupError) {
        var starts: [String] = []
        for name in try store.names() where name.kind == .base {
            // One that can't be read may need all of it.
            guard let start = try store.manifest(of: name).database.startSegment else { return }
            starts.append(start)
        }
        guard let first = starts.min(by: { WALArchive.isOlder($0, than: $1) }) else { return }
        do {
            let fileSystem = PosixFileSystem()
            let files = (try? fileSystem.list(configuration.walDirectory)) ?? []
            for file in files {
                guard let segment = WALArchive.segment(ofFile: file), WALArchive.isOlder(segment, than: first) else {
                    continue
                }
                try fileSystem.remove("\(configuration.walDirectory)/\(file)")
            }
        } catch {
            throw store.writing(error)
        }
    }
}
