internal import MillraceEvent

/// Cuts a connection's stream into lines, however it was chopped on its way. Bounded: of a line that grows beyond
/// `lineBytesMax` only the first bytes are kept until its end.
struct LineCutter: ~Copyable {
    enum Line {
        /// Without its `\n` or `\r\n`, never blank; valid until another method of the cutter than `next` is called.
        /// `offset`: where it starts in `bytes`; nil when a single `\n` does not follow it there.
        case whole(UnsafeRawBufferPointer, offset: Int?)
        /// Its first bytes, and how many it has.
        case tooLong(prefix: [UInt8], byteCount: Int)
    }

    private var lineBytesMax: Int
    private var prefixBytesMax: Int
    private var input = InputBuffer()
    /// Bytes at the start of `input` whose lines were given out.
    private var cutBytes = 0
    /// Bytes at the start of `input` that were searched for newlines; `cutBytes` or more.
    private var scannedBytes = 0
    /// No line was cut yet: the stream may begin with a byte order mark.
    private var isAtStart = true
    /// What was dropped of a line that is too long, its first bytes kept; `input` has what follows.
    private var longLine: (prefix: [UInt8], byteCount: Int)?

    /// `prefixBytesMax`: kept of a line that is too long.
    init(lineBytesMax: Int, prefixBytesMax: Int) {
        self.lineBytesMax = lineBytesMax
        self.prefixBytesMax = prefixBytesMax
    }

    /// For lines that are not given out yet; one that was found too long stays so.
    mutating func boundsChanged(lineBytesMax: Int, prefixBytesMax: Int) {
        self.lineBytesMax = lineBytesMax
        self.prefixBytesMax = prefixBytesMax
    }

    /// What was received and not released; offsets of lines count from its start.
    var bytes: UnsafeRawBufferPointer { input.readable }

    /// Memory that it uses, in bytes.
    var heldBytes: Int { input.capacity }

    /// What is there of the line that is not whole. Of what is left after `release`.
    var openBytes: Int { input.count }

    /// Gives back the memory that its bytes don't need.
    mutating func compact() {
        input.compact()
    }

    mutating func append(_ bytes: UnsafeRawBufferPointer) {
        input.append(bytes)
    }

    /// The next line whose end is there.
    mutating func next() -> Line? {
        let bytes = input.readable
        while let end = bytes.newline(from: scannedBytes) {
            let start = cutBytes
            cutBytes = end + 1
            scannedBytes = cutBytes
            if let line = line(bytes.slice(start..<end), at: start) { return line }
        }
        scannedBytes = bytes.count
        return nil
    }

    /// Lets the lines that were given out go, and most of a line that is too long already.
    mutating func release() {
        input.consume(cutBytes)
        scannedBytes -= cutBytes
        cutBytes = 0
        guard scannedBytes == input.count, longLine != nil || input.count > lineBytesMax + 1 else { return }
        let prefix = longLine?.prefix ?? Array(input.readable.prefix(prefixBytesMax))
        longLine = (prefix, (longLine?.byteCount ?? 0) + input.count)
        input.consume(input.count)
        scannedBytes = 0
    }

    /// The stream has ended: what follows the last newline is a line too. Call it after `next` has returned nil.
    mutating func last() -> Line? {
        let rest = input.readable.slice(cutBytes..<input.count)
        cutBytes = input.count
        return line(rest, at: nil)
    }

    mutating func removeAll() {
        input.removeAll()
        cutBytes = 0
        scannedBytes = 0
        longLine = nil
    }

    private mutating func line(_ raw: UnsafeRawBufferPointer, at offset: Int?) -> Line? {
        let endsInReturn = raw.last == UInt8(ascii: "\r")
        var line = endsInReturn ? raw.slice(0..<raw.count - 1) : raw
        var offset = endsInReturn ? nil : offset
        if isAtStart {
            isAtStart = false
            let unmarked = line.withoutByteOrderMark
            offset = offset.map { $0 + line.count - unmarked.count }
            line = unmarked
        }
        if let long = longLine {
            longLine = nil
            return .tooLong(prefix: long.prefix, byteCount: long.byteCount + line.count)
        }
        return line.isBlank ? nil : .whole(line, offset: offset)
    }
}
