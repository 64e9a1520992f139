package import MillraceEvent

/// Lines of a segment are written over in a copy of it, which then takes its name: byte for byte as long, so that what
/// others know of places in it stays true. Sequences, times and counts stay; checksums follow. Blocks on the disk.
///
/// Crash: the segment is the old one or the new one as a whole.
package struct SegmentRewrite {
    /// What takes the place of a line of a record, as many bytes; nil: the line stays.
    package typealias Change = (_ sequence: UInt64, _ header: RecordHeader, _ line: [UInt8]) -> [UInt8]?

    let store: SegmentStore
    /// What the copy leaves free on the disk.
    var reserveBytes = 0

    /// Writes the copy of a segment that has lines below `sequence` that `change` changes. Returns how many; 0: no copy, as
    /// when it throws: `SpoolError`.
    func write(
        _ segment: Segment, below sequence: UInt64, _ change: Change
    ) throws -> Int {
        do {
            return try writeCopy(segment, below: sequence, change)
        } catch {
            discard(segment.number)
            guard let error = error as? FileSystemError else { throw error }
            throw SpoolError(error, writing: store.path(segment.number) + SegmentName.rewritten)
        }
    }

    private func writeCopy(
        _ segment: Segment, below sequence: UInt64, _ change: Change
    ) throws -> Int {
        guard let open = try store.openSegment(segment.number) else { return 0 }
        let fileSystem = store.fileSystem
        let buffer = ReadBuffer(capacity: SegmentWalker.windowBytes)
        var walker = SegmentWalker(
            fileSystem, open.file, from: SegmentHeader.byteCount, to: segment.endBytes,
            expecting: segment.firstSequence,
            sequenceEnd: segment.endSequence, verifiesPayloads: true, buffer: buffer)
        var copy: FileID?
        defer { if let copy { fileSystem.close(copy) } }
        var changed = 0
        while let step = try walker.next() {
            guard case .record(let header, let offset, isIntact: true) = step, header.firstSequence < sequence,
                let payload = try walker.payload(of: header, at: offset),
                let (bytes, count) = Self.rewritten(header, Array(payload), below: sequence, change)
            else { continue }
            let file = try copy ?? self.copy(segment, of: open.file)
            copy = file
            changed += count
            var new = header
            new.payloadChecksum = bytes.withUnsafeBytes { Checksum.crc32c($0) }
            var record = [UInt8](repeating: 0, count: RecordHeader.byteCount)
            record.withUnsafeMutableBytes { new.encode(into: $0) }
            try fileSystem.write(record + bytes, to: file, at: offset)
        }
        if let copy { try fileSystem.synchronize(copy) }
        return changed
    }

    /// The copy takes the segment's name; readers that have the old file open read that one to its end.
    func replace(_ number: UInt64) throws(FileSystemError) {
        let path = store.path(number)
        try store.fileSystem.rename(path + SegmentName.rewritten, to: path)
        try store.fileSystem.synchronizeDirectory(store.directory)
        store.segmentReplaced(number)
    }

    /// The segment is gone meanwhile.
    func discard(_ number: UInt64) {
        try? store.fileSystem.remove(store.path(number) + SegmentName.rewritten)
    }

    private static func rewritten(
        _ header: RecordHeader, _ payload: [UInt8], below sequence: UInt64, _ change: Change
    ) -> (bytes: [UInt8], count: Int)? {
        var bytes = payload
        var count = 0
        var start = 0
        for line in payload.split(separator: UInt8(ascii: "\n"), omittingEmptySubsequences: false).prefix(header.count)
            .enumerated()
        {
            let end = start + line.element.count
            let own = header.firstSequence + UInt64(line.offset)
            if own < sequence, let new = change(own, header, Array(line.element)) {
                precondition(new.count == line.element.count, "a line is written over by as many bytes")
                bytes.replaceSubrange(start..<end, with: new)
                count += 1
            }
            start = end + 1
        }
        return count == 0 ? nil : (bytes, count)
    }

    /// All of the file, damaged places too. Not where it would take the room that events want.
    private func copy(_ segment: Segment, of file: FileID) throws -> FileID {
        let fileSystem = store.fileSystem
        let free = try fileSystem.freeBytes(at: store.directory)
        if free - segment.endBytes < reserveBytes {
            throw SpoolError(
                .full, path: store.directory,
                hint: "\(free) bytes are free on its disk, a copy of a segment takes \(segment.endBytes), and "
                    + "\(reserveBytes) stay reserved: make room")
        }
        let copy = try fileSystem.open(store.path(segment.number) + SegmentName.rewritten, .replace)
        let buffer = ReadBuffer(capacity: 1 << 20)
        var at = 0
        while at < segment.endBytes {
            let part = UnsafeMutableRawBufferPointer(
                rebasing: buffer.bytes[..<min(buffer.capacity, segment.endBytes - at)])
            let count: Int
            do throws(FileSystemError) {
                count = try fileSystem.readAll(into: part, from: file, at: at)
                try fileSystem.writeAll(UnsafeRawBufferPointer(rebasing: part[..<count]), to: copy, at: at)
            } catch {
                fileSystem.close(copy)
                throw error
            }
            if count == 0 { break }
            at += count
        }
        return copy
    }
}

extension SegmentStore {
    /// The sequence that follows the last durable line.
    package var endSequence: UInt64 { newest?.endSequence ?? firstSequence }

    /// Whether all lines below `sequence` are in the ledger for good.
    package func isSettled(below sequence: UInt64) -> Bool { catalogue.isSettled(below: sequence) }

    /// Numbers of the segments that have lines below `sequence`, the newest one left out.
    package func ended(below sequence: UInt64) -> [UInt64] {
        catalogue.segments.dropLast().filter { $0.firstSequence < sequence }.map(\.number)
    }

    /// Writes a copy of a segment in which lines below `sequence` are what `change` makes of them, in as many bytes (nil: as
    /// they were); `SpoolService.takeRewritten` puts it in the segment's place. Returns how many are others; 0: there is no
    /// copy. Blocks on the disk. Throws `SpoolError`, and then there is no copy either; so where less than `reserveBytes`
    /// would be free beside it.
    package func rewrite(
        _ number: UInt64, below sequence: UInt64, reserveBytes: Int = 0, _ change: SegmentRewrite.Change
    ) throws -> Int {
        guard let segment = catalogue.segments.first(where: { $0.number == number }) else { return 0 }
        return try SegmentRewrite(store: self, reserveBytes: reserveBytes).write(segment, below: sequence, change)
    }

    /// Removes what was set aside as damaged and `isNamed` finds somebody in. Blocks on the disk.
    package func removeDamaged(_ isNamed: ([UInt8]) -> Bool) {
        let folder = "\(directory)/\(SegmentName.damaged)"
        for name in (try? fileSystem.list(folder)) ?? [] {
            let path = "\(folder)/\(name)"
            guard let bytes = try? fileSystem.readFile(path, bytesMax: 64 << 20), isNamed(bytes) else { continue }
            try? fileSystem.remove(path)
        }
    }
}

extension SpoolService {
    /// Ends the newest segment where it has lines below `sequence`, so that it can be rewritten.
    package func endSegment(below sequence: UInt64) throws {
        guard let newest = store.newest, newest.firstSequence < sequence, newest.endSequence > newest.firstSequence
        else { return }
        try appender.beginSegment()
    }

    /// Puts a rewritten copy in the place of its segment, unless that is gone.
    package func takeRewritten(_ number: UInt64) throws {
        let rewrite = SegmentRewrite(store: store)
        guard store.catalogue.segments.contains(where: { $0.number == number }) else { return rewrite.discard(number) }
        try rewrite.replace(number)
    }
}
