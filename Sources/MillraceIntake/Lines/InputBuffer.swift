internal import Glibc
internal import MillraceEvent

/// Bytes received and not yet consumed, in one piece, with `EventParser.paddingBytes` readable bytes after them for the
/// parser.
struct InputBuffer: ~Copyable {
    /// Memory kept while the buffer is empty; more is given back, so that idle connections cost little.
    private static let idleBytesMax = 16 << 10

    private var base: UnsafeMutableRawPointer?
    /// Memory that it uses, in bytes.
    private(set) var capacity = 0
    private var start = 0
    private var end = 0

    init() {}

    deinit { base?.deallocate() }

    var count: Int { end - start }
    var isEmpty: Bool { start == end }

    /// The bytes; valid until the buffer is changed.
    var readable: UnsafeRawBufferPointer {
        guard let base else { return UnsafeRawBufferPointer(start: nil, count: 0) }
        return UnsafeRawBufferPointer(start: base + start, count: end - start)
    }

    mutating func append(_ bytes: UnsafeRawBufferPointer) {
        reserve(bytes.count).copyMemory(from: bytes)
        extend(by: bytes.count)
    }

    /// Lets `body` write up to `byteCount` bytes at the end; it returns how many it wrote.
    mutating func append(
        upTo byteCount: Int, _ body: (UnsafeMutableRawBufferPointer) throws -> Int
    ) rethrows {
        extend(by: try body(reserve(byteCount)))
    }

    mutating func consume(_ byteCount: Int) {
        precondition(byteCount <= count, "consumed more than was there")
        start += byteCount
        guard start == end else { return }
        start = 0
        end = 0
        if capacity > Self.idleBytesMax { release() }
    }

    /// Gives back the memory that its bytes don't need.
    mutating func compact() {
        guard let base, count + EventParser.paddingBytes < capacity else { return }
        move(base, to: UnsafeMutableRawPointer.allocate(byteCount: count + EventParser.paddingBytes, alignment: 16))
        capacity = count + EventParser.paddingBytes
        extend(by: 0)
    }

    mutating func removeAll() {
        start = 0
        end = 0
        release()
    }

    private mutating func release() {
        base?.deallocate()
        base = nil
        capacity = 0
    }

    /// Counts bytes that were written at the end. The values after them don't matter to the parser, but must be
    /// defined.
    private mutating func extend(by byteCount: Int) {
        end += byteCount
        guard let base else { return }
        memset(base + end, 0, EventParser.paddingBytes)
    }

    /// Makes room for `byteCount` bytes at the end, and for the padding after them.
    private mutating func reserve(_ byteCount: Int) -> UnsafeMutableRawBufferPointer {
        let padding = EventParser.paddingBytes
        if let base, end + byteCount + padding <= capacity {
            return UnsafeMutableRawBufferPointer(start: base + end, count: byteCount)
        }
        let held = count
        var wanted = held + byteCount + padding
        if held > 0 { wanted = max(wanted, 2 * (held + padding)) }
        let target: UnsafeMutableRawPointer
        if let base, wanted <= capacity {
            target = base
            target.copyMemory(from: base + start, byteCount: held)
        } else {
            target = UnsafeMutableRawPointer.allocate(byteCount: wanted, alignment: 16)
            if let base { move(base, to: target) }
            capacity = wanted
        }
        base = target
        start = 0
        end = held
        return UnsafeMutableRawBufferPointer(start: target + held, count: byteCount)
    }

    private mutating func move(_ old: UnsafeMutableRawPointer, to target: UnsafeMutableRawPointer) {
        target.copyMemory(from: old + start, byteCount: count)
        old.deallocate()
        end -= start
        start = 0
        base = target
    }
}

extension UnsafeRawBufferPointer {
    /// Offset of the first `\n` at or after `offset`.
    func newline(from offset: Int) -> Int? {
        guard let baseAddress, offset < count else { return nil }
        guard let found = memchr(baseAddress + offset, 0x0A, count - offset) else { return nil }
        return UnsafeRawPointer(found) - baseAddress
    }

    /// Only blanks, tabs and carriage returns.
    var isBlank: Bool { allSatisfy { $0 == 0x20 || $0 == 0x09 || $0 == 0x0D } }

    /// Without the UTF-8 byte order mark that it begins with, if there is one.
    var withoutByteOrderMark: UnsafeRawBufferPointer {
        count >= 3 && self[0] == 0xEF && self[1] == 0xBB && self[2] == 0xBF ? slice(3..<count) : self
    }

    func slice(_ range: Range<Int>) -> UnsafeRawBufferPointer {
        UnsafeRawBufferPointer(rebasing: self[range])
    }
}
