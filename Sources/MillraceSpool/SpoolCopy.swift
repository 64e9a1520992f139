package import MillraceEvent

/// Copies a spool's segments and its id, beside the daemon that writes them. Takes no lock and changes nothing there. Blocks
/// on the disk.
///
/// What was durable before is in the copy, or was settled in the database: a segment that the daemon retires meanwhile is
/// left out. The newest one ends with the last record that was whole when its turn came.
package struct SpoolCopy {
    private let directory: String
    private let fileSystem: any FileSystem

    package init(directory: String, fileSystem: any FileSystem = PosixFileSystem()) {
        self.directory = directory
        self.fileSystem = fileSystem
    }

    /// `target`: made here. nil, and nothing is made, where there is no spool. The report is of the copy. `progress` is told
    /// the bytes copied.
    package func run(to target: String, progress: (_ bytes: Int) -> Void) throws -> SpoolReport? {
        let names: [String]
        do throws(FileSystemError) {
            names = try fileSystem.list(directory)
        } catch {
            if error.isMissing { return nil }
            throw SpoolError(.readFailed, path: directory, cause: error)
        }
        guard let identity = try fileSystem.readFile("\(directory)/\(SegmentName.identity)") else { return nil }
        _ = try fileSystem.makeDirectory(target)
        try fileSystem.writeFile(identity, to: "\(target)/\(SegmentName.identity)", in: target)
        var bytes = 0
        let numbers = names.compactMap(SegmentName.number).sorted()
        let inspector = SpoolInspector(directory: directory, fileSystem: fileSystem)
        for number in numbers {
            let name = SegmentName.file(number)
            // It is being written: a copy of what is not whole yet could have an empty place amid its records.
            let end = number == numbers.last ? try inspector.validEnd(of: number) : nil
            try fileSystem.copy("\(directory)/\(name)", to: "\(target)/\(name)", upTo: end ?? .max) { count in
                bytes += count
                progress(bytes)
            }
        }
        try fileSystem.synchronizeDirectory(target)
        return try SpoolInspector(directory: target, fileSystem: fileSystem).inspect()
    }
}

/// Puts segments of backups back into a spool whose daemon does not run, to be read as a backlog at its next start. Blocks on
/// the disk.
package struct SpoolReturn {
    private let directory: String
    private let fileSystem: any FileSystem
    /// Until the return is over, no daemon may start.
    private let lock: DirectoryLock

    /// Makes the directory where it is missing. Throws `.locked` while a daemon runs, and `.directoryUnusable`.
    package init(directory: String, fileSystem: any FileSystem = PosixFileSystem()) throws(SpoolError) {
        self.directory = directory
        self.fileSystem = fileSystem
        do {
            try fileSystem.makeDirectories(directory)
        } catch {
            throw SpoolError(.directoryUnusable, path: directory, cause: error)
        }
        lock = try DirectoryLock(fileSystem, directory: directory)
    }

    /// nil where the spool is new, and takes the id of the first segment that is put into it.
    package func spoolID() throws -> UniqueID? {
        try SpoolInspector(directory: directory, fileSystem: fileSystem).identity()
    }

    /// Numbers of the segments that are there.
    package func numbers() throws(FileSystemError) -> Set<UInt64> {
        Set(try fileSystem.list(directory).compactMap { SegmentName.number(of: $0) })
    }

    /// Puts segment `number` of the copy in `source` there, whole or not at all. It must be of the same spool.
    package func put(_ number: UInt64, from source: String) throws {
        let identity = "\(directory)/\(SegmentName.identity)"
        if try fileSystem.readFile(identity) == nil,
            let id = try SpoolInspector(directory: source, fileSystem: fileSystem).identity()
        {
            try fileSystem.writeFile(Array("\(id)\n".utf8), to: identity, in: directory)
        }
        let name = SegmentName.file(number)
        let temporary = "\(directory)/\(name).tmp"
        try fileSystem.copy("\(source)/\(name)", to: temporary)
        try fileSystem.rename(temporary, to: "\(directory)/\(name)")
        try fileSystem.synchronizeDirectory(directory)
    }

    /// Moves the spool, its id and all, to another place, so that the next start begins a new one.
    package func setAside(to path: String) throws(FileSystemError) {
        try fileSystem.rename(directory, to: path)
    }
}

extension FileSystem {
    /// Copies a file durably, as long as it is when it is opened, and at most `limit` bytes. Nothing where it is missing.
    package func copy(
        _ source: String, to target: String, upTo limit: Int = .max, progress: (_ bytes: Int) -> Void = { _ in }
    ) throws(FileSystemError) {
        let input: FileID
        do {
            input = try open(source, .read)
        } catch {
            if error.isMissing { return }
            throw error
        }
        defer { close(input) }
        let output = try open(target, .replace)
        defer { close(output) }
        let buffer = UnsafeMutableRawBufferPointer.allocate(byteCount: 1 << 20, alignment: 4096)
        defer { buffer.deallocate() }
        let end = min(limit, try size(of: input))
        var offset = 0
        while offset < end {
            let part = UnsafeMutableRawBufferPointer(rebasing: buffer.prefix(end - offset))
            let count = try readAll(into: part, from: input, at: offset)
            if count == 0 { break }
            try writeAll(UnsafeRawBufferPointer(rebasing: part[..<count]), to: output, at: offset)
            offset += count
            progress(count)
        }
        try synchronize(output)
    }
}
