/// Cuts an input into lines while it streams. Blank lines are skipped, as the daemon does.
package struct LineReader: ~Copyable {
    package enum Next: Equatable {
        /// Without its line ending; where it stood, from 1.
        case line(ArraySlice<UInt8>, number: Int)
        /// Longer than any daemon takes; dropped while it was read.
        case tooLong(number: Int)
        case needsInput
        case ended
    }

    /// 16 MiB: the largest value of `limits.line_bytes`. A longer line would have to be held whole for nothing.
    package static let lineBytesMax = 16 << 20

    private var input: CompressedInput
    private var buffer: [UInt8] = []
    private var head = 0
    /// Bytes of the buffer already searched for a line ending.
    private var searched = 0
    private var number = 0
    private var isDropping = false

    package init(descriptor: Int32) {
        input = CompressedInput(descriptor: descriptor)
    }

    /// The caller's; not closed here.
    package var descriptor: Int32 { input.descriptor }

    /// The input's size in bytes, before decompression; nil when it is no regular file.
    package var totalBytes: Int? { input.totalBytes }

    /// Bytes read of the input, before decompression.
    package var readBytes: Int { input.readBytes }

    /// Reads once from the descriptor. Blocks when nothing is there: `poll` it first.
    package mutating func read() throws(CommandError) { try input.read() }

    /// The next line, or what has to happen before one comes.
    package mutating func next() throws(CommandError) -> Next {
        while true {
            if let ending = buffer[(head + searched)...].firstIndex(of: UInt8(ascii: "\n")) {
                if let line = take(upTo: ending, skipping: 1) { return line }
                continue
            }
            searched = buffer.count - head
            if searched > Self.lineBytesMax { startDropping() }
            compact()
            if try input.decode(into: &buffer) { continue }
            guard input.isEnded else { return .needsInput }
            guard head < buffer.count || isDropping else { return .ended }
            if let line = take(upTo: buffer.count, skipping: 0) { return line }
        }
    }

    private mutating func take(upTo end: Int, skipping ending: Int) -> Next? {
        number += 1
        var line = buffer[head..<end]
        head = end + ending
        searched = 0
        if line.last == UInt8(ascii: "\r") { line.removeLast() }
        if isDropping || line.count > Self.lineBytesMax {
            isDropping = false
            return .tooLong(number: number)
        }
        return line.allSatisfy({ $0 == 0x20 || $0 == 0x09 || $0 == 0x0D }) ? nil : .line(line, number: number)
    }

    private mutating func startDropping() {
        isDropping = true
        head = buffer.count
        searched = 0
    }

    private mutating func compact() {
        guard head > 0 else { return }
        buffer.removeSubrange(..<head)
        head = 0
    }
}
