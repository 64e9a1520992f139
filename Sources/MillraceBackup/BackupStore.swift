internal import Crypto
internal import Glibc
package import MillraceEvent
import MillraceSpool

/// The folder with the backups. Blocks on the disk.
///
///     DIR/20261130T100500Z/manifest.json          written last
///     DIR/20261130T100500Z/manifest.json.sha256   for `sha256sum --check`
///     DIR/20261130T100500Z/database/…             pg_dump's files; of a base backup, the cluster's
///     DIR/20261130T100500Z/spool/…                segments of this host's spool
///     DIR/20261130T110500Z.partial/…              one that is being made, or whose making was interrupted
///     DIR/wal/…                                   the embedded database's log
///     DIR/lock
///
/// A backup is made under another name, made durable with all that is in it, and then gets its own: so what has a backup's
/// name is whole. The other way round it loses its name before anything in it goes.
package struct BackupStore: Sendable {
    package static let database = "database"
    package static let spool = "spool"

    package let directory: String
    private let fileSystem = PosixFileSystem()

    package init(directory: String) {
        self.directory = directory
    }

    package func path(_ name: BackupName) -> String { "\(directory)/\(name)" }

    /// Makes the folder where it is missing. Whoever may enter its parents may pass through, and see nothing: the embedded
    /// database's user gets at the log below it.
    package func prepare() throws(BackupError) {
        do {
            try fileSystem.makeDirectories(directory)
        } catch {
            throw unusable(error)
        }
        if FileTree.status(directory)?.st_uid == geteuid() { chmod(directory, 0o711) }
    }

    /// Held by the one who makes, removes or restores; throws `busy` while another process does. Programs of one that was
    /// killed, which still write, are waited for.
    package func lock() throws(BackupError) -> BackupLock {
        let lock: BackupLock
        do {
            lock = BackupLock(file: try fileSystem.open(directory + "/lock", .ensure), fileSystem: fileSystem)
            if try fileSystem.lockInTime(lock.file) { return lock }
        } catch {
            throw unusable(error)
        }
        throw BackupError(
            .busy, "another millrace backup or restore works in \(directory)",
            hint: "Wait until it has ended; `ps -C millrace,pg_dump,pg_basebackup` shows it.")
    }

    /// The whole ones, oldest first. Empty where the folder is missing.
    package func names() throws(BackupError) -> [BackupName] {
        do {
            return try fileSystem.list(directory).compactMap { BackupName($0) }.sorted()
        } catch {
            if error.isMissing { return [] }
            throw unusable(error)
        }
    }

    /// Reads `manifest.json`, and compares it with its checksum.
    package func manifest(of name: BackupName) throws(BackupError) -> BackupManifest {
        let path = path(name)
        let contents: (manifest: [UInt8]?, sum: [UInt8]?)
        do {
            contents.manifest = try fileSystem.readFile(
                "\(path)/\(BackupManifest.fileName)", bytesMax: Self.manifestBytesMax)
            contents.sum = try fileSystem.readFile("\(path)/\(BackupManifest.sumName)")
        } catch {
            throw unusable(error)
        }
        guard let bytes = contents.manifest else { throw Self.damaged(name, "it has no \(BackupManifest.fileName)") }
        if let format = BackupManifest.format(of: bytes), format > BackupManifest.formatCurrent {
            throw BackupError(
                .newer, "the backup \(name) has format \(format), which this version does not know",
                hint: "Take the Millrace that made it, or a newer one.")
        }
        guard let sum = contents.sum.map({ String(decoding: $0.prefix(64), as: UTF8.self) }),
            sum == SHA256.hash(data: bytes).hexadecimal, let manifest = try? BackupManifest(decoding: bytes)
        else { throw Self.damaged(name, "\(BackupManifest.fileName) is not what its checksum says") }
        return manifest
    }

    private static let manifestBytesMax = 1 << 30

    // MARK: - Making

    /// True when there is a backup of this name, or what is left of one.
    func holds(_ name: BackupName) -> Bool { FileTree.status(path(name)) != nil }

    /// A new folder under a name that is no backup's. Removes what interrupted makings left.
    package func begin(_ name: BackupName) throws(BackupError) -> String {
        try removeRemains()
        let draft = path(name) + BackupName.partial
        do {
            guard !holds(name), try fileSystem.makeDirectory(draft) else {
                throw BackupError(
                    .busy, "\(name) is there already", hint: "Is the clock right? Names are times, to the second.")
            }
        } catch let error as FileSystemError {
            throw writing(error)
        } catch let error as BackupError {
            throw error
        } catch {
            throw BackupError(.writeFailed, "\(error)", hint: "Check the disk.")
        }
        return draft
    }

    /// Reads every file in `draft` for its checksum, makes all of it durable, and gives it its name. Returns the manifest with
    /// its files. `known`: files whose checksum another file tells, which are left out.
    package func finish(
        _ name: BackupName, _ manifest: BackupManifest, leavingOut known: (String) -> Bool = { _ in false },
        progress: (_ bytes: Int) -> Void
    ) throws(BackupError) -> BackupManifest {
        let draft = path(name) + BackupName.partial
        var manifest = manifest
        do throws(FileSystemError) {
            let tree = FileTree(draft)
            var bytes = 0
            for file in try tree.files() where !known(file) {
                let digest = try tree.digest(of: file, isDurable: true) { count in
                    bytes += count
                    progress(bytes)
                }
                manifest.files.append(.init(path: file, bytes: digest.bytes, sha256: digest.sha256))
            }
            let text = (try? manifest.encoded()) ?? []
            try fileSystem.writeFile(text, to: "\(draft)/\(BackupManifest.fileName)", in: draft)
            let sum = "\(SHA256.hash(data: text).hexadecimal)  \(BackupManifest.fileName)\n"
            try fileSystem.writeFile(Array(sum.utf8), to: "\(draft)/\(BackupManifest.sumName)", in: draft)
            try tree.synchronizeDirectories()
            try fileSystem.rename(draft, to: path(name))
            try fileSystem.synchronizeDirectory(directory)
        } catch {
            throw writing(error)
        }
        return manifest
    }

    /// Removes what a backup that failed has left.
    package func abandon(_ name: BackupName) {
        try? FileTree(path(name) + BackupName.partial).remove()
    }

    private func removeRemains() throws(BackupError) {
        do {
            for entry in try fileSystem.list(directory) {
                for suffix in [BackupName.partial, BackupName.removed]
                where entry.hasSuffix(suffix) && BackupName(String(entry.dropLast(suffix.count))) != nil {
                    try FileTree("\(directory)/\(entry)").remove()
                }
            }
        } catch {
            throw writing(error)
        }
    }

    // MARK: - Removing

    /// Those that go: of each kind all but the newest `keep`, and what is older than `age` (zero: nothing); the newest of a
    /// kind never.
    package static func outdated(
        _ names: [BackupName], keep: Int, age: Duration, at now: Timestamp
    ) -> [BackupName] {
        let oldest = age == .zero ? nil : now.advanced(by: .zero - age)
        return BackupName.Kind.allCases.flatMap { kind in
            let all = names.filter { $0.kind == kind }.sorted()
            return all.dropLast().enumerated().filter { index, name in
                let isTooMany = all.count - index > keep
                return isTooMany || oldest.map { name < BackupName(kind, at: $0) } ?? false
            }.map(\.element)
        }.sorted()
    }

    /// Removes a backup, its name first.
    package func remove(_ name: BackupName) throws(BackupError) {
        let remains = path(name) + BackupName.removed
        do {
            try fileSystem.rename(path(name), to: remains)
            try fileSystem.synchronizeDirectory(directory)
            try FileTree(remains).remove()
        } catch {
            throw writing(error)
        }
    }

    // MARK: - Looking

    /// Compares every file with the manifest; what differs, at most `problemsMax` of it.
    package func problems(
        of name: BackupName, _ manifest: BackupManifest, progress: (_ bytes: Int) -> Void
    ) -> [String] {
        let tree = FileTree(path(name))
        var problems: [String] = []
        var bytes = 0
        for file in manifest.files where problems.count < Self.problemsMax {
            do {
                let digest = try tree.digest(of: file.path, isDurable: false) { count in
                    bytes += count
                    progress(bytes)
                }
                if digest.bytes != file.bytes {
                    problems.append("\(file.path) has \(digest.bytes) bytes of \(file.bytes)")
                } else if digest.sha256 != file.sha256 {
                    problems.append("\(file.path) has another checksum")
                }
            } catch {
                problems.append(error.isMissing ? "\(file.path) is missing" : "\(file.path): \(error)")
            }
        }
        return problems
    }

    private static let problemsMax = 10

    /// Whether the manifest can be read and every file is there in its size, without reading them.
    func looksWhole(_ name: BackupName) -> Bool {
        guard let manifest = try? manifest(of: name) else { return false }
        return manifest.files.allSatisfy { file in
            FileTree.status("\(path(name))/\(file.path)").map { Int($0.st_size) } == file.bytes
        }
    }

    package static func damaged(_ name: BackupName, _ what: String) -> BackupError {
        BackupError(
            .damaged, "the backup \(name) is damaged: \(what)",
            hint: "Take another one (millrace backup list), and check this disk.")
    }

    private func unusable(_ error: FileSystemError) -> BackupError {
        BackupError(
            .directoryUnusable, "\(directory): \(error)",
            hint: "Give it to the user who makes the backups, or set backup.directory.")
    }

    /// Of a failed call while writing.
    func writing(_ error: FileSystemError) -> BackupError {
        error.isOutOfSpace
            ? BackupError(
                .noSpace, "the disk of \(directory) is full",
                hint: "Make room, lower backup.keep, or set backup.directory to a larger disk.")
            : BackupError(
                .writeFailed, "\(directory): \(error)", hint: "Check the disk (dmesg) and the folder's owner.")
    }
}

/// Holds a folder of backups for this process and the programs that write into it, until they go.
package final class BackupLock: Sendable {
    fileprivate let file: FileID
    private let fileSystem: PosixFileSystem

    fileprivate init(file: FileID, fileSystem: PosixFileSystem) {
        self.file = file
        self.fileSystem = fileSystem
    }

    /// For programs to hold, too.
    var descriptor: Int32 { file.descriptor }

    deinit {
        fileSystem.close(file)
    }
}
