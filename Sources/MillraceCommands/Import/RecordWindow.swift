internal import Glibc
internal import MillraceJSON

/// Where a record begins in a file, after decompression.
struct RecordPlace: Equatable {
    /// From 1.
    var line: Int
    /// In bytes, from 1.
    var column: Int
    /// From 0.
    var offsetBytes: Int
    /// In its array, from 0; nil for what stands in none.
    var index: Int?
}

/// The part of a file that is in memory while it is cut into records. Positions count decoded bytes from the start of the
/// file; lines are counted as they go by.
struct RecordWindow {
    /// New bytes are appended; they begin at `end`.
    var buffer: [UInt8] = []
    /// Position of `buffer[0]`.
    private var base = 0
    /// Up to where the file was looked at.
    var scan = 0

    /// Up to where lines were counted.
    private(set) var linesCounted = 0
    private var line = 1
    private var lineStart = 0

    /// After the last byte that is here.
    var end: Int { base + buffer.count }

    subscript(range: Range<Int>) -> ArraySlice<UInt8> {
        let lower = max(base, range.lowerBound)
        return buffer[(lower - base)..<(max(lower, range.upperBound) - base)]
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

    /// The bytes from `scan` on, valid only within `body`.
    func withUnscanned<Answer>(_ body: (UnsafeBufferPointer<UInt8>) -> Answer) -> Answer {
        buffer.withUnsafeBufferPointer { body(UnsafeBufferPointer(rebasing: $0[(scan - base)...])) }
    }

    /// The position of the next `byte` at `scan` or after it.
    func find(_ byte: UInt8) -> Int? {
        withUnscanned { bytes in
            guard let start = bytes.baseAddress, let found = memchr(start, Int32(byte), bytes.count) else { return nil }
            return scan + (UnsafeRawPointer(found) - UnsafeRawPointer(start))
        }
    }

    func isBlank(_ range: Range<Int>) -> Bool {
        self[range].allSatisfy { JSONScanner.isSpace($0) }
    }

    /// Line and column of `position`, which is nowhere before one that was asked for already.
    mutating func place(at position: Int) -> RecordPlace {
        let start = max(linesCounted, base)
        if start < position {
            for (offset, byte) in self[start..<min(position, end)].enumerated() where byte == UInt8(ascii: "\n") {
                line += 1
                lineStart = start + offset + 1
            }
            linesCounted = position
        }
        return RecordPlace(line: line, column: position - lineStart + 1, offsetBytes: position, index: nil)
    }

    /// Lets go of what lies before `position`, once its lines are counted.
    mutating func drop(upTo position: Int) {
        guard position > base else { return }
        _ = place(at: position)
        buffer.removeSubrange(..<(position - base))
        base = position
    }
}
