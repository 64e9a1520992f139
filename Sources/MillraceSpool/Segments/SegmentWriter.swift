internal import MillraceChannels
internal import MillraceEvent
internal import MillraceTelemetry

/// Appends groups to the newest segment. Confined to the spool's thread.
///
/// A group is in one segment, and durable when `append` returns. A file on which a write or a sync failed is never
/// written again: the segment ends where it was durable, which the next segment's header says.
///
/// Small groups are written over zeros, which a small group before them wrote ahead: a file that does not grow needs no
/// commit of the file system's journal with each `fdatasync`, which then took 0.13 ms instead of 0.23 ms at the median
/// (ext4), and does not hold up PostgreSQL's files on the same disk. (`fallocate` does not help: its blocks must be
/// marked as written.) Zeros after the last record are the log's end. A group is not answered before all of it is on
/// disk; when the power fails before that, any part of it may be, and recovery then reports the rest as damage.
final class SegmentWriter {
    /// Where a group lies.
    struct Written {
        /// As it is after the group.
        var segment: Segment
        /// Merged, ascending.
        var extents: [Extent] = []
        /// Of each submission, in order.
        var sequences: [Range<UInt64>] = []
        /// How long its `fdatasync` took.
        var sync = Duration.zero
    }

    /// A larger group grows the file itself: the journal's commit is little beside it, and zeros would be much.
    private static let smallGroupBytesMax = 256 << 10

    /// Of the buffer.
    private static let bufferBytes = 256 << 10
    /// A larger payload is written from where it is: a call costs less than its copy.
    private static let copiedBytesMax = 32 << 10

    private let store: SegmentStore
    private let fileSystem: any FileSystem
    private let configuration: SpoolConfiguration
    private let metrics: SpoolMetrics
    /// Zeros up to here in the newest segment's file, from its `endBytes`; nothing beyond has been written.
    private var zeroEndBytes = 0
    private let zeros: [UInt8]
    /// Small records on their way to the disk, and headers; a larger group takes several writes.
    private let buffer: UnsafeMutableRawBufferPointer
    /// Of the newest segment; nil when that one is ended, or there is none, and the next group begins a new one.
    private var file: FileID?
    private var gap = SegmentHeader.Gap.none
    /// The sequence that the next line gets.
    private(set) var nextSequence: UInt64

    init(
        _ recovered: RecoveredSpool, _ configuration: SpoolConfiguration, _ store: SegmentStore, _ metrics: SpoolMetrics
    ) throws(SpoolError) {
        self.store = store
        fileSystem = store.fileSystem
        self.configuration = configuration
        self.metrics = metrics
        zeros = [UInt8](repeating: 0, count: configuration.zeroAheadBytes)
        nextSequence = recovered.nextSequence
        if recovered.beginsEpoch { gap = .epoch }
        if let segment = recovered.segments.last, recovered.newest == .appendable, !recovered.beginsEpoch {
            let path = store.path(segment.number)
            do {
                file = try fileSystem.open(path, .update)
            } catch {
                throw SpoolError(error, writing: path)
            }
        }
        let bufferBytes = min(max(configuration.groupBytes, RecordHeader.byteCount), Self.bufferBytes)
        buffer = .allocate(byteCount: bufferBytes, alignment: 4096)
    }

    deinit {
        close()
        buffer.deallocate()
    }

    /// True when there is a segment to write on.
    var isOpen: Bool { file != nil }

    /// True when a group of `byteCount` bytes needs a new segment first.
    func needsSegment(for byteCount: Int) -> Bool {
        guard isOpen, let segment = store.newest else { return true }
        return segment.endBytes > SegmentHeader.byteCount && segment.endBytes + byteCount > configuration.segmentBytes
    }

    /// Makes the next segment, durably, and goes on in it. On failure the newest segment stays as it was.
    func openSegment() throws(SpoolError) {
        let previous = store.newest
        let number = (previous?.number ?? 0) + 1
        let header = SegmentHeader(
            spoolID: store.spoolID, number: number, firstSequence: nextSequence,
            previousEndSequence: previous?.endSequence ?? nextSequence, previousEndBytes: previous?.endBytes ?? 0,
            gap: gap)
        let new = try create(store.path(number), header.encoded())
        close()
        store.segmentOpened(
            Segment(
                number: number, firstSequence: nextSequence, endSequence: nextSequence,
                endBytes: SegmentHeader.byteCount, fileBytes: SegmentHeader.byteCount,
                skipped: header.previousEndSequence..<nextSequence, gap: gap))
        file = new
        gap = .none
    }

    /// Writes a group and synchronizes it, once. On failure nothing of it is in the log: the bytes are cut off again
    /// when only space is missing, else the segment ends before them and the sequences are burnt.
    func append(_ group: ArraySlice<Submission>) throws(SpoolError) -> Written {
        guard let file, let segment = store.newest else {
            preconditionFailure("a group needs an open segment")
        }
        var written = Written(segment: segment)
        let endSequence = nextSequence + UInt64(group.reduce(0) { $0 + $1.count })
        do {
            try write(group, to: file, &written)
            try zeroAhead(file, written.segment, groupBytes: written.segment.endBytes - segment.endBytes)
            written.sync = try synchronize(file)
        } catch {
            cut(file, at: segment, after: error, burning: endSequence)
            throw SpoolError(error, writing: store.path(segment.number))
        }
        nextSequence = endSequence
        store.segmentGrew(written.segment)
        return written
    }

    /// Closes the file; what is in it is durable. Cuts off the zeros after its last record, for tidiness.
    func close() {
        guard let file, let segment = store.newest else { return }
        if zeroEndBytes > segment.endBytes { try? fileSystem.truncate(file, to: segment.endBytes) }
        zeroEndBytes = 0
        fileSystem.close(file)
        self.file = nil
    }

    private func write(_ group: ArraySlice<Submission>, to file: FileID, _ written: inout Written)
        throws(FileSystemError)
    {
        var filled = 0
        var sequence = nextSequence
        var builder = ExtentBuilder()
        for submission in group {
            let first = sequence
            for record in submission.records {
                let header = RecordHeader(of: record, firstSequence: sequence)
                let length = RecordHeader.byteCount + record.bytes.count
                let isCopied = record.bytes.count <= min(Self.copiedBytesMax, buffer.count - RecordHeader.byteCount)
                if filled + (isCopied ? length : RecordHeader.byteCount) > buffer.count {
                    try flush(&filled, to: file, &written.segment)
                }
                if let extent = builder.add(
                    header, segment: written.segment.number, offset: written.segment.endBytes + filled)
                {
                    written.extents.append(extent)
                }
                header.encode(into: UnsafeMutableRawBufferPointer(rebasing: buffer[filled...]))
                filled += RecordHeader.byteCount
                if isCopied {
                    UnsafeMutableRawBufferPointer(rebasing: buffer[filled...]).copyBytes(from: record.bytes)
                    filled += record.bytes.count
                } else {
                    try flush(&filled, to: file, &written.segment)
                    let payload = record.bytes.span.bytes
                    try payload.withUnsafeBytes { (bytes) throws(FileSystemError) in
                        try fileSystem.writeAll(bytes, to: file, at: written.segment.endBytes)
                    }
                    written.segment.endBytes += record.bytes.count
                }
                sequence = header.sequences.upperBound
            }
            written.sequences.append(first..<sequence)
        }
        try flush(&filled, to: file, &written.segment)
        if let extent = builder.finish() { written.extents.append(extent) }
        written.segment.endSequence = sequence
        written.segment.fileBytes = written.segment.endBytes
    }

    /// Makes room for the next small groups. A disk without room for that may still have room for them.
    private func zeroAhead(_ file: FileID, _ segment: Segment, groupBytes: Int) throws(FileSystemError) {
        guard segment.endBytes > zeroEndBytes else { return }
        zeroEndBytes = segment.endBytes
        let count = min(zeros.count, configuration.segmentBytes - segment.endBytes)
        guard groupBytes <= Self.smallGroupBytesMax, count > 0 else { return }
        let zeros = zeros
        let bytes = zeros.span.bytes
        do {
            try bytes.withUnsafeBytes { (zeros) throws(FileSystemError) in
                let part = UnsafeRawBufferPointer(rebasing: zeros[..<count])
                try fileSystem.writeAll(part, to: file, at: segment.endBytes)
            }
            zeroEndBytes += count
        } catch {
            guard error.isOutOfSpace else { throw error }
            try fileSystem.truncate(file, to: segment.endBytes)
        }
    }

    private func flush(_ filled: inout Int, to file: FileID, _ segment: inout Segment) throws(FileSystemError) {
        guard filled > 0 else { return }
        try fileSystem.writeAll(UnsafeRawBufferPointer(rebasing: buffer[..<filled]), to: file, at: segment.endBytes)
        segment.endBytes += filled
        filled = 0
    }

    @discardableResult
    private func synchronize(_ file: FileID) throws(FileSystemError) -> Duration {
        let start = ContinuousClock.now
        metrics.syncs.add(1)
        try fileSystem.synchronize(file)
        return start.duration(to: .now)
    }

    /// Cuts a group off that failed; ends the segment unless the file can be written on.
    private func cut(
        _ file: FileID, at segment: Segment, after error: FileSystemError, burning endSequence: UInt64
    ) {
        zeroEndBytes = 0
        if error.isOutOfSpace, error.call == .write {
            do {
                try fileSystem.truncate(file, to: segment.endBytes)
                try synchronize(file)
                return
            } catch {}  // Then the file is as lost as after any other fault.
        } else {
            // Only to keep the file tidy: the next header says where it ends.
            try? fileSystem.truncate(file, to: segment.endBytes)
        }
        fileSystem.close(file)
        self.file = nil
        nextSequence = endSequence
        if gap == .none { gap = .burnt }
    }

    private func create(_ path: String, _ header: [UInt8]) throws(SpoolError) -> FileID {
        do {
            let file = try fileSystem.open(path, .create)
            try fill(file, header)
            return file
        } catch {
            // The next attempt makes it anew; it must not meet the remains of this one.
            try? fileSystem.remove(path)
            throw SpoolError(error, writing: path)
        }
    }

    private func fill(_ file: FileID, _ header: [UInt8]) throws(FileSystemError) {
        do {
            let bytes = header.span.bytes
            try bytes.withUnsafeBytes { (bytes) throws(FileSystemError) in
                try fileSystem.writeAll(bytes, to: file, at: 0)
            }
            try synchronize(file)
            try fileSystem.synchronizeDirectory(configuration.directory)
        } catch {
            fileSystem.close(file)
            throw error
        }
    }
}
