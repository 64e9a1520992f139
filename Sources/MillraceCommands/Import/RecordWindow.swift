internal import Glibc
internal import MillraceJSON

/// The part of a file that is in memory, decoded, and where the scan stands in it. Positions count decoded bytes from the
/// start of the file.
struct RecordWindow: ~Copyable {
    private var input: CompressedInput
    private var buffer: [UInt8] = []
    /// Position of `buffer[0]`.
    private var base = 0
    /// Up to where the file was looked at.
    var scan = 0
    private var lines = LineCounter()

    init(descriptor: Int32) {
        input = CompressedInput(descriptor: descriptor)
    }

    /// The caller's; not closed here.
    var descriptor: Int32 { input.descriptor }

    /// Of the file as it stands, before decompression; nil when it is no regular file.
    var totalBytes: Int? { input.totalBytes }

    /// Of the file as it stands.
    var readBytes: Int { input.readBytes }

    /// All was read from the descriptor; what is not decoded yet may still come.
    var isInputEnded: Bool { input.isEnded }

    /// `place` can be asked for what stands here or later.
    var countedLinesEnd: Int { lines.counted }

    /// Reads once from the descriptor. Blocks when nothing is there.
    mutating func read() throws(CommandError) { try input.read() }

    /// Takes in more of the file; false when what was read holds no more.
    mutating func decode() throws(CommandError) -> Bool { try input.decode(into: &buffer) }

    /// The bytes of `range` that are still here.
    subscript(range: Range<Int>) -> ArraySlice<UInt8> {
        let lower = max(base, range.lowerBound)
        return buffer[(lower - base)..<(max(lower, range.upperBound) - base)]
    }

    /// At the start of the file: leaves out the mark. False when it takes more bytes to know.
    mutating func skipByteOrderMark(isFileEnded: Bool) -> Bool {
        guard base == 0, scan == 0 else { return true }
        let mark: [UInt8] = [0xEF, 0xBB, 0xBF]
        guard buffer.count >= mark.count || isFileEnded else { return false }
        if buffer.starts(with: mark) {
            scan = mark.count
            lines.skip(to: mark.count)
        }
        return true
    }

    /// The next byte that is no white space, at `scan` then.
    mutating func nextByte() -> UInt8? {
        while scan - base < buffer.count {
            let byte = buffer[scan - base]
            guard JSONScanner.isSpace(byte) else { return byte }
            scan += 1
        }
        return nil
    }

    /// Scans on in a value. Returns its end, or nil when that is not here yet.
    mutating func scanValue(_ value: inout JSONScanner) -> Int? {
        let head = scan - base
        let end = buffer.withUnsafeBufferPointer {
            value.scan(UnsafeBufferPointer(rebasing: $0[head...]))
        }
        guard let end else {
            scanAll()
            return nil
        }
        scan += end
        return scan
    }

    /// All that is here was looked at.
    mutating func scanAll() {
        scan = base + buffer.count
    }

    /// Where `byte` stands next, from `scan`.
    func find(_ byte: UInt8) -> Int? {
        let head = scan - base
        return buffer.withUnsafeBytes { bytes in
            guard let from = bytes.baseAddress, head < bytes.count,
                let found = memchr(from + head, Int32(byte), bytes.count - head)
            else { return nil }
            return base + (UnsafeRawPointer(found) - from)
        }
    }

    func isBlank(_ range: Range<Int>) -> Bool {
        self[range].allSatisfy { JSONScanner.isSpace($0) }
    }

    /// `position`: nowhere before one that was asked for already.
    mutating func place(at position: Int) -> RecordPlace {
        let from = max(lines.counted, base)
        if from < position {
            lines.count(self[from..<min(position, base + buffer.count)], from: from, to: position)
        }
        return lines.place(at: position)
    }

    /// Gives back what stands before `position`.
    mutating func release(to position: Int) {
        guard position > base else { return }
        _ = place(at: position)
        buffer.removeSubrange(..<(position - base))
        base = position
    }
}
