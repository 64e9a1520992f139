internal import Glibc
import MillraceEvent
internal import MillracePostgres
import MillraceSpool
import Synchronization

/// The newest backups of a folder, for metrics and `check`. Blocks on the disk, for moments: a manifest is read once.
package final class BackupWatch: Sendable {
    package struct Standing: Sendable, Equatable {
        package var count = 0
        /// Of the newest: seconds since 1970, 0 when there is none.
        package var begunAt = 0.0
        package var bytes = 0
        /// nil when there is none.
        package var name: BackupName?
    }

    private let store: BackupStore
    private let walDirectory: String
    private let known = Mutex<[BackupName.Kind: Standing]>([:])

    /// `configuration`: with `directory` in its place.
    package init(_ configuration: BackupConfiguration) {
        store = BackupStore(directory: configuration.directory)
        walDirectory = configuration.walDirectory
    }

    /// A folder that can't be read has none.
    package func look(at kind: BackupName.Kind) -> Standing {
        let names = ((try? store.names()) ?? []).filter { $0.kind == kind }
        let last = known.withLock { $0[kind] }
        guard let newest = names.last else { return Standing() }
        if var last, last.name == newest {
            last.count = names.count
            return last
        }
        var standing = Standing(count: names.count, name: newest)
        if let manifest = try? store.manifest(of: newest) {
            standing.begunAt = Timestamp(rfc3339: manifest.begunAt).map { Double($0.microseconds) / 1e6 } ?? 0
            standing.bytes = manifest.bytes
            known.withLock { $0[kind] = standing }
        }
        return standing
    }

    /// When the newest file of the log was archived, in seconds since 1970; 0: never.
    package var walArchivedAt: Double {
        let names = ((try? PosixFileSystem().list(walDirectory)) ?? []).filter { WALArchive.segment(ofFile: $0) != nil }
        let newest = names.max { $0.dropFirst(8) < $1.dropFirst(8) }
        return newest.flatMap { FileTree.status("\(walDirectory)/\($0)") }.map { Double($0.st_mtim.tv_sec) } ?? 0
    }
}
