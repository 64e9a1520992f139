/// Which line of a file a position stands in, counted as the file goes by.
struct LineCounter {
    /// Up to where lines were counted, in decoded bytes from the start of the file.
    private(set) var counted = 0
    private var line = 1
    private var lineStart = 0

    /// Leaves out what belongs to no line, before anything was counted.
    mutating func skip(to position: Int) {
        lineStart = position
        counted = position
    }

    /// Counts the bytes that stand at `from`; all up to `position` is counted then.
    mutating func count(_ bytes: ArraySlice<UInt8>, from: Int, to position: Int) {
        for (offset, byte) in bytes.enumerated() where byte == UInt8(ascii: "\n") {
            line += 1
            lineStart = from + offset + 1
        }
        counted = position
    }

    /// `position`: not before the line that was counted last.
    func place(at position: Int) -> RecordPlace {
        RecordPlace(line: line, column: position - lineStart + 1, offsetBytes: position, index: nil)
    }
}
