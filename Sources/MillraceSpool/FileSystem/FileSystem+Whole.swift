internal import Glibc

extension FileSystem {
    /// Writes all of `bytes`, in as many calls as it takes.
    package func writeAll(_ bytes: UnsafeRawBufferPointer, to file: FileID, at offset: Int) throws(FileSystemError) {
        var written = 0
        while written < bytes.count {
            let count = try write(UnsafeRawBufferPointer(rebasing: bytes[written...]), to: file, at: offset + written)
            // A disk that takes nothing and names no error is full.
            guard count > 0 else { throw FileSystemError(.write, errno: ENOSPC) }
            written += count
        }
    }

    /// Takes the lock of a file that another process may hold for a moment; false where it holds it for 5 s. Blocks.
    package func lockInTime(_ file: FileID) throws(FileSystemError) -> Bool {
        for _ in 0..<500 {
            if try lock(file) { return true }
            usleep(10_000)
        }
        return false
    }

    /// Writes all of `bytes`.
    package func write(_ bytes: [UInt8], to file: FileID, at offset: Int) throws(FileSystemError) {
        let span = bytes.span
        try span.withWholeBytes { (bytes) throws(FileSystemError) in try writeAll(bytes, to: file, at: offset) }
    }

    /// Fills `bytes` as far as the file goes and returns the count. Blocks that the device can't read come as zeros,
    /// so that one bad sector costs the record on it and not its neighbours.
    package func readAll(into bytes: UnsafeMutableRawBufferPointer, from file: FileID, at offset: Int)
        throws(FileSystemError) -> Int
    {
        var filled = 0
        while filled < bytes.count {
            let rest = UnsafeMutableRawBufferPointer(rebasing: bytes[filled...])
            do {
                let count = try read(into: rest, from: file, at: offset + filled)
                if count == 0 { break }
                filled += count
            } catch  where error.isInputOutput {
                let count = try readBlock(into: rest, from: file, at: offset + filled)
                if count == 0 { break }
                filled += count
            }
        }
        return filled
    }

    private func readBlock(into bytes: UnsafeMutableRawBufferPointer, from file: FileID, at offset: Int)
        throws(FileSystemError) -> Int
    {
        let blockBytes = 4096
        let block = UnsafeMutableRawBufferPointer(
            rebasing: bytes.prefix(min(blockBytes - offset % blockBytes, try size(of: file) - offset)))
        guard !block.isEmpty else { return 0 }
        do {
            return try read(into: block, from: file, at: offset)
        } catch  where error.isInputOutput {
            block.initializeMemory(as: UInt8.self, repeating: 0)
            return block.count
        }
    }

    /// Makes `path` and its missing parents, and synchronizes every directory that got a new name. The last parent
    /// always: a start before this one may have been killed in between.
    package func makeDirectories(_ path: String) throws(FileSystemError) {
        var parent = path.hasPrefix("/") ? "/" : "."
        let components = path.split(separator: "/")
        for (index, component) in components.enumerated() {
            let child = parent == "/" ? "/\(component)" : "\(parent)/\(component)"
            let isNew = try makeDirectory(child)
            if isNew || index == components.count - 1 { try synchronizeDirectory(parent) }
            parent = child
        }
    }

    /// Puts a file there as a whole or not at all, durably.
    package func writeFile(_ bytes: [UInt8], to path: String, in directory: String) throws(FileSystemError) {
        let temporary = path + ".tmp"
        let file = try open(temporary, .replace)
        do {
            defer { close(file) }
            try write(bytes, to: file, at: 0)
            try synchronize(file)
        }
        try rename(temporary, to: path)
        try synchronizeDirectory(directory)
    }

    /// The first `bytesMax` bytes of a small file; nil when it is missing.
    package func readFile(_ path: String, bytesMax: Int = 4096) throws(FileSystemError) -> [UInt8]? {
        let file: FileID
        do {
            file = try open(path, .read)
        } catch  where error.isMissing {
            return nil
        }
        defer { close(file) }
        let buffer = UnsafeMutableRawBufferPointer.allocate(byteCount: bytesMax, alignment: 16)
        defer { buffer.deallocate() }
        let count = try readAll(into: buffer, from: file, at: 0)
        return Array(buffer.prefix(count))
    }
}

extension Span where Element == UInt8 {
    /// `withUnsafeBytes` with a typed error.
    fileprivate func withWholeBytes<Failure: Error>(
        _ body: (UnsafeRawBufferPointer) throws(Failure) -> Void
    ) throws(Failure) {
        try withUnsafeBytes(body)
    }
}
