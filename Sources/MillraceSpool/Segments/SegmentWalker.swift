internal import Glibc
import MillraceEvent

/// Walks over the records of a segment (or of one extent of it), reading in windows, and finds its way again after
/// damage: at the next place that has a record's magic, a valid header checksum, a plausible sequence and a valid
/// payload checksum. Every step moves forward, so a walk ends whatever is in the file.
struct SegmentWalker: ~Copyable {
    enum Step {
        /// A valid header; `isIntact` false when the payload fails its checksum (true when payloads aren't verified).
        case record(RecordHeader, offset: Int, isIntact: Bool)
        /// No record could be made of these bytes, but one follows.
        case damage(offset: Int, length: Int, sequences: Range<UInt64>)
        /// Nothing valid follows up to the end. `header`: valid, of a record that reaches beyond the end.
        case tail(offset: Int, length: Int, isZeros: Bool, header: RecordHeader?)
    }

    /// Bytes to read at once when payloads are skipped; a smaller window than a MiB, since of large records only the
    /// header is wanted.
    static let windowBytes = 256 << 10

    private let fileSystem: any FileSystem
    private let file: FileID
    private let endBytes: Int
    private let verifiesPayloads: Bool
    private let buffer: ReadBuffer
    private let windowBytes: Int
    private var windowStart = 0
    private var windowCount = 0
    /// Of the next record's header, from the start of the file.
    private(set) var position: Int
    /// Sequence that the next record must begin with; nil when it is not known.
    private(set) var expected: UInt64?
    /// No record may reach beyond this sequence.
    private let sequenceEnd: UInt64

    init(
        _ fileSystem: any FileSystem, _ file: FileID, from offset: Int, to endBytes: Int, expecting sequence: UInt64?,
        sequenceEnd: UInt64 = .max, verifiesPayloads: Bool, buffer: ReadBuffer, windowBytes: Int = Self.windowBytes
    ) {
        self.fileSystem = fileSystem
        self.file = file
        self.endBytes = endBytes
        self.verifiesPayloads = verifiesPayloads
        self.buffer = buffer
        self.windowBytes = windowBytes
        self.sequenceEnd = sequenceEnd
        position = offset
        expected = sequence
    }

    /// The next step, nil at the end.
    mutating func next() throws(FileSystemError) -> Step? {
        guard position < endBytes else { return nil }
        let offset = position
        guard let header = try header(at: offset), isPlausible(header, expected: expected.map { $0...$0 }) else {
            return try resume(after: offset)
        }
        let length = RecordHeader.byteCount + header.payloadBytes
        guard length <= endBytes - offset else { return try tail(at: offset, header: header) }
        let isIntact = verifiesPayloads ? try isPayloadIntact(header, at: offset) : true
        position = offset + length
        expected = header.sequences.upperBound
        return .record(header, offset: offset, isIntact: isIntact)
    }

    /// The payload of the record at `offset`, just returned by `next()` with payloads verified. Valid until the next
    /// call; 64 readable bytes follow it.
    mutating func payload(of header: RecordHeader, at offset: Int) throws(FileSystemError) -> UnsafeRawBufferPointer? {
        try window(at: offset + RecordHeader.byteCount, header.payloadBytes)
    }

    private mutating func header(at offset: Int) throws(FileSystemError) -> RecordHeader? {
        guard let bytes = try window(at: offset, RecordHeader.byteCount),
            let header = RecordHeader(decoding: bytes),
            // Reserved bytes are zero, which no JSON text holds: a payload can't pass for a header.
            bytes[29] == 0, bytes[30] == 0, bytes[31] == 0, bytes.load32(44) == 0
        else { return nil }
        return header
    }

    private func isPlausible(_ header: RecordHeader, expected: ClosedRange<UInt64>?) -> Bool {
        guard header.count > 0, header.firstSequence <= UInt64.max - UInt64(header.count) else { return false }
        if let expected, !expected.contains(header.firstSequence) { return false }
        return header.sequences.upperBound <= sequenceEnd
    }

    private mutating func isPayloadIntact(_ header: RecordHeader, at offset: Int) throws(FileSystemError) -> Bool {
        guard let payload = try window(at: offset + RecordHeader.byteCount, header.payloadBytes) else { return false }
        return Checksum.crc32c(payload) == header.payloadChecksum
    }

    /// Looks for the next valid record after the damage at `offset`.
    private mutating func resume(after offset: Int) throws(FileSystemError) -> Step {
        var at = offset + 1
        while at + RecordHeader.byteCount <= endBytes {
            let count = min(windowBytes, endBytes - at)
            guard let bytes = try window(at: at, count) else { break }
            guard let found = Self.magicOffset(in: bytes) else {
                at += count - 3
                continue
            }
            let candidate = at + found
            if let header = try header(at: candidate), try isNext(header, at: candidate, damagedFrom: offset) {
                let lost = (expected ?? header.firstSequence)..<header.firstSequence
                position = candidate
                expected = header.firstSequence
                return .damage(offset: offset, length: candidate - offset, sequences: lost)
            }
            at = candidate + 1
        }
        return try tail(at: offset, header: nil)
    }

    /// True when the header at `candidate` can follow damage that began at `offset`: a lost line took a byte at least.
    private mutating func isNext(_ header: RecordHeader, at candidate: Int, damagedFrom offset: Int)
        throws(FileSystemError) -> Bool
    {
        let range = expected.map { $0...($0 + min(UInt64.max - $0, UInt64(candidate - offset))) }
        guard isPlausible(header, expected: range),
            candidate + RecordHeader.byteCount + header.payloadBytes <= endBytes
        else { return false }
        return try isPayloadIntact(header, at: candidate)
    }

    private mutating func tail(at offset: Int, header: RecordHeader?) throws(FileSystemError) -> Step {
        var at = offset
        var isZeros = true
        while isZeros, at < endBytes {
            let count = min(windowBytes, endBytes - at)
            guard let bytes = try window(at: at, count) else { break }
            isZeros = bytes.allSatisfy { $0 == 0 }
            at += count
        }
        position = endBytes
        return .tail(offset: offset, length: endBytes - offset, isZeros: isZeros, header: header)
    }

    /// `count` bytes at `offset` of the file, read when they are not in the window; nil when the file ends before.
    private mutating func window(at offset: Int, _ count: Int) throws(FileSystemError) -> UnsafeRawBufferPointer? {
        guard count <= endBytes - offset else { return nil }
        if offset < windowStart || offset + count > windowStart + windowCount {
            let wanted = min(max(count, windowBytes), endBytes - offset)
            buffer.reserve(wanted)
            windowStart = offset
            windowCount = 0
            let target = UnsafeMutableRawBufferPointer(rebasing: buffer.bytes[..<wanted])
            windowCount = try fileSystem.readAll(into: target, from: file, at: offset)
            guard count <= windowCount else { return nil }
        }
        let start = offset - windowStart
        return UnsafeRawBufferPointer(rebasing: buffer.bytes[start..<start + count])
    }

    private static func magicOffset(in bytes: UnsafeRawBufferPointer) -> Int? {
        guard let start = bytes.baseAddress else { return nil }
        let first = Int32(truncatingIfNeeded: RecordHeader.magic & 0xFF)
        var at = 0
        while at + 4 <= bytes.count {
            guard let found = memchr(start + at, first, bytes.count - 3 - at) else { return nil }
            at = UnsafeRawPointer(found) - start
            if bytes.load32(at) == RecordHeader.magic { return at }
            at += 1
        }
        return nil
    }
}
