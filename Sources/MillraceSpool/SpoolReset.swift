/// Empties a spool whose daemon does not run, for `millrace migrate reset`. Its id stays, and what was set aside in
/// `damaged/`. Blocks on the disk.
package struct SpoolReset {
    private let directory: String
    private let fileSystem: any FileSystem
    /// Until the reset is over, no daemon may start.
    private let lock: DirectoryLock

    /// Throws `.locked` while a daemon runs, and `.directoryUnusable`.
    package init(directory: String, fileSystem: any FileSystem = PosixFileSystem()) throws(SpoolError) {
        self.directory = directory
        self.fileSystem = fileSystem
        lock = try DirectoryLock(fileSystem, directory: directory)
    }

    /// Removes every segment, whether its lines are in a table or not. Returns how many there were.
    package func run() throws(SpoolError) -> Int {
        do throws(FileSystemError) {
            let segments = try fileSystem.list(directory).filter { SegmentName.number(of: $0) != nil }
            for name in segments { try fileSystem.remove("\(directory)/\(name)") }
            for name in [KnownSavesFile.name, KnownSavesFile.olderName] {
                do { try fileSystem.remove("\(directory)/\(name)") } catch  where error.isMissing {}
            }
            try fileSystem.synchronizeDirectory(directory)
            return segments.count
        } catch {
            throw SpoolError(error, writing: directory)
        }
    }
}
