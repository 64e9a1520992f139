internal import MillraceEvent
internal import MillraceTelemetry

/// Sets damaged bytes aside in `damaged/`, once for each place, so that an operator may look at them after the
/// segment is gone. Never stops its caller: what can't be kept is said in the reason.
struct DamageKeeper: Sendable {
    private let fileSystem: any FileSystem
    private let directory: String
    let metrics: SpoolMetrics

    init(_ fileSystem: any FileSystem, directory: String, metrics: SpoolMetrics) {
        self.fileSystem = fileSystem
        self.directory = directory
        self.metrics = metrics
    }

    /// Copies `length` bytes at `offset` of an open segment; returns the reason for the report.
    func keep(_ what: String, segment: UInt64, file: FileID, offset: Int, length: Int) -> String {
        let place = "\(what) at offset \(offset) of \(SegmentName.file(segment)), \(length) bytes"
        let folder = "\(directory)/\(SegmentName.damaged)"
        let path = "\(folder)/\(SegmentName.damage(segment: segment, offset: offset, length: length))"
        do {
            if try isKept(path) { return "\(place), kept in \(path)" }
            metrics.damaged.add(1)
            try copy(file, offset: offset, length: length, to: path, in: folder)
            return "\(place), kept in \(path)"
        } catch {
            return "\(place), not kept (\(error))"
        }
    }

    private func isKept(_ path: String) throws(FileSystemError) -> Bool {
        do {
            fileSystem.close(try fileSystem.open(path, .read))
            return true
        } catch  where error.isMissing {
            return false
        }
    }

    /// By a temporary name, so that a crash leaves no half copy under the final one.
    private func copy(_ file: FileID, offset: Int, length: Int, to path: String, in folder: String)
        throws(FileSystemError)
    {
        if try fileSystem.makeDirectory(folder) { try fileSystem.synchronizeDirectory(directory) }
        let temporary = path + ".tmp"
        let copy = try fileSystem.open(temporary, .replace)
        do {
            defer { fileSystem.close(copy) }
            let buffer = ReadBuffer(capacity: min(length, 1 << 20))
            var copied = 0
            while copied < length {
                let part = UnsafeMutableRawBufferPointer(
                    rebasing: buffer.bytes[..<min(buffer.capacity, length - copied)])
                let count = try fileSystem.readAll(into: part, from: file, at: offset + copied)
                if count == 0 { break }
                let read = UnsafeRawBufferPointer(rebasing: part[..<count])
                try fileSystem.writeAll(read, to: copy, at: copied)
                copied += count
            }
            try fileSystem.synchronize(copy)
        }
        try fileSystem.rename(temporary, to: path)
        try fileSystem.synchronizeDirectory(folder)
    }
}
