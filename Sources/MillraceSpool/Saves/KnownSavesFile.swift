package import Logging
package import MillraceEvent
internal import MillraceTelemetry
internal import MillraceThreads

/// Beside the segments: whose the latest conversation saves are, so that a daemon that was killed knows them although they
/// are in no table yet.
///
/// Two files, the older one whole; the newer takes its name when it holds `savesMax`. What a power loss takes from them is
/// not missed for long: the saves themselves are in the spool, and soon in their table.
///
/// ```
/// offset  size  field
///      0    16  id of the save, in network order
///     16    16  id of its user
/// ```
package actor KnownSavesFile {
    package typealias Save = (id: UniqueID, user: UniqueID)

    static let name = "saves.known"
    static let olderName = "saves.known.old"
    private static let saveBytes = 32

    private let executor = ThreadExecutor(name: "saves")
    private let directory: String
    private let savesMax: Int
    private let fileSystem: any FileSystem
    private let logger: Logger
    private var file: FileID?
    private var count = 0
    private var isFailing = false

    package nonisolated var unownedExecutor: UnownedSerialExecutor { executor.asUnownedSerialExecutor() }

    /// `directory`: the spool's, which must exist and be held by this process alone.
    package init(
        directory: String, savesMax: Int, fileSystem: any FileSystem = PosixFileSystem(), logger: Logger
    ) {
        self.directory = directory
        self.savesMax = savesMax
        self.fileSystem = fileSystem
        self.logger = logger
    }

    /// What the files hold, the oldest first. Blocks on the disk; to be called once, before `append`.
    package func load() -> [Save] {
        do {
            let older = try read(Self.olderName)
            let newer = try read(Self.name)
            count = newer.count
            let file = try fileSystem.open("\(directory)/\(Self.name)", .ensure)
            self.file = file
            // Of a save that was half written, nothing stays.
            try fileSystem.truncate(file, to: count * Self.saveBytes)
            return older + newer
        } catch {
            report(error)
            return []
        }
    }

    /// Keeps a save; blocks on the disk. One that can't be kept is known until the daemon ends.
    package func append(_ save: Save) {
        do {
            if count >= savesMax { try beginAnew() }
            guard let file else { return }
            try fileSystem.write(save.id.bytes + save.user.bytes, to: file, at: count * Self.saveBytes)
            count += 1
            isFailing = false
        } catch {
            report(error)
        }
    }

    /// Forgets the saves of these users. Blocks on the disk.
    package func forget(_ users: Set<UniqueID>) throws {
        for name in [Self.olderName, Self.name] {
            let saves = try read(name)
            let left = saves.filter { !users.contains($0.user) }
            guard left.count < saves.count else { continue }
            try fileSystem.writeFile(
                left.flatMap { $0.id.bytes + $0.user.bytes }, to: "\(directory)/\(name)", in: directory)
            guard name == Self.name else { continue }
            if let file { fileSystem.close(file) }
            file = try fileSystem.open("\(directory)/\(name)", .ensure)
            count = left.count
        }
    }

    private func beginAnew() throws(FileSystemError) {
        if let file { fileSystem.close(file) }
        file = nil
        try fileSystem.rename("\(directory)/\(Self.name)", to: "\(directory)/\(Self.olderName)")
        file = try fileSystem.open("\(directory)/\(Self.name)", .replace)
        count = 0
    }

    private func read(_ name: String) throws(FileSystemError) -> [Save] {
        let bytes = try fileSystem.readFile("\(directory)/\(name)", bytesMax: savesMax * Self.saveBytes) ?? []
        return (0..<bytes.count / Self.saveBytes).compactMap { index in
            let start = index * Self.saveBytes
            guard let id = UniqueID(bytes: bytes[start..<start + 16]),
                let user = UniqueID(bytes: bytes[start + 16..<start + 32])
            else { return nil }
            return (id, user)
        }
    }

    private func report(_ error: FileSystemError) {
        guard !isFailing else { return }
        isFailing = true
        logger.warning(
            "saves not remembered",
            metadata: [
                .path: "\(directory)/\(Self.name)", .error: "\(error)",
                .hint: "make room; until then a restart forgets whose the latest saves are",
            ])
    }
}
