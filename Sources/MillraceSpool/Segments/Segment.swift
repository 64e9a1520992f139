import MillraceEvent

/// What is known of a segment file without reading its records.
struct Segment: Sendable, Equatable {
    var number: UInt64
    var firstSequence: UInt64
    /// After the last line.
    var endSequence: UInt64
    /// Up to where records are valid, in bytes; readers never go beyond.
    var endBytes: Int
    /// Bytes the file takes.
    var fileBytes: Int
    /// Left out in front of `firstSequence`; empty as a rule.
    var skipped: Range<UInt64>
    var gap: SegmentHeader.Gap

    /// Given out in front of `firstSequence` and never acknowledged; the ledger is to hold them as skipped.
    var burnt: Range<UInt64> { gap == .burnt ? skipped : firstSequence..<firstSequence }

    var sequences: Range<UInt64> { firstSequence..<max(firstSequence, endSequence) }
}
