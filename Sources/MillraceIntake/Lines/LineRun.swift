internal import MillraceEvent

/// Accepted lines of one kind without a gap between them.
struct LineRun {
    var kind: RecordKind
    /// Where they lie in an input, with the last line's `\n`.
    var range: Range<Int>
    /// Number of lines.
    var count: Int
}
