internal import Glibc

/// Holds the spool directory for this process: `flock` on the file `lock`, which names the process for others.
final class DirectoryLock: Sendable {
    private let fileSystem: any FileSystem
    private let file: FileID

    /// Throws `.locked` with the holder's process id when another process has it.
    init(_ fileSystem: any FileSystem, directory: String) throws(SpoolError) {
        self.fileSystem = fileSystem
        let path = "\(directory)/\(SegmentName.lock)"
        do {
            file = try fileSystem.open(path, .ensure)
        } catch {
            throw SpoolError(.directoryUnusable, path: path, cause: error)
        }
        let isHeld: Bool
        do {
            isHeld = try fileSystem.lock(file)
        } catch {
            // `deinit` closes the file, here and below: all that it needs is set.
            throw SpoolError(.directoryUnusable, path: path, cause: error)
        }
        guard isHeld else {
            throw Self.locked(directory, by: try? fileSystem.readFile(path))
        }
        // Only a help to the reader of a message: a full disk must not stop the start.
        try? fileSystem.truncate(file, to: 0)
        var text = "\(getpid())\n"
        text.withUTF8 { bytes in try? fileSystem.writeAll(UnsafeRawBufferPointer(bytes), to: file, at: 0) }
    }

    deinit {
        fileSystem.close(file)
    }

    private static func locked(_ directory: String, by content: [UInt8]?) -> SpoolError {
        let digits = (content ?? []).prefix { (UInt8(ascii: "0")...UInt8(ascii: "9")).contains($0) }
        let holder = digits.isEmpty ? "another process" : "process \(String(decoding: digits, as: UTF8.self))"
        return SpoolError(
            .locked, path: directory,
            hint: "\(holder) uses this spool: stop it, or give this daemon its own spool.directory")
    }
}
