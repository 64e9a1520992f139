package import MillraceEvent

/// What `SpoolInspector` saw in a spool directory.
package struct SpoolReport: Sendable {
    package struct Segment: Sendable {
        package var number: UInt64
        /// From the first to after the last valid line found.
        package var sequences: Range<UInt64>
        /// Left out in front of it, see `gap`.
        package var skipped: Range<UInt64>
        package var gap: SegmentHeader.Gap
        package var fileBytes: Int
        /// Valid headers with valid payloads.
        package var records = 0
        /// Lines of valid records.
        package var lines = 0
        /// Bytes without a valid record, zeros at the end not counted. The newest segment of a running daemon may show
        /// a group that is being written.
        package var damagedBytes = 0
        /// False when the segment's own header is damaged.
        package var isHeaderIntact: Bool
    }

    /// Nil when neither `spool.id` nor a segment names it.
    package var spoolID: UniqueID?
    /// Ascending by number.
    package var segments: [Segment] = []
    /// Lines of valid records, by kind.
    package var lines: [RecordKind: Int] = [:]
    /// Files in `damaged/`.
    package var setAside: [String] = []

    package var fileBytes: Int { segments.reduce(0) { $0 + $1.fileBytes } }
    package var damagedBytes: Int { segments.reduce(0) { $0 + $1.damagedBytes } }

    /// Behind the last line of each segment: as it shows itself, and as the next one says, of files that are missing too. A
    /// segment without lines, which a crash may leave of a run, says nothing: no line lies before where it begins.
    package var lineEnds: [UInt64] {
        segments.flatMap { segment in
            // Before the first segment of a spool there is none that ended: earlier runs took nothing.
            let isFirst = segment.gap == .epoch && segment.skipped.isEmpty
            let before = segment.isHeaderIntact && !isFirst ? [segment.skipped.lowerBound] : []
            return before + (segment.sequences.isEmpty ? [] : [segment.sequences.upperBound])
        }.filter { $0 > 0 }
    }

    /// Sequences between the segments that no segment explains: missing files. Settled ones are no loss, which only
    /// the ledger knows.
    package var missing: [Range<UInt64>] {
        zip(segments, segments.dropFirst()).compactMap { before, after in
            let isExplained = after.gap == .burnt || after.gap == .epoch
            let end = isExplained ? after.skipped.lowerBound : after.sequences.lowerBound
            return before.sequences.upperBound < end ? before.sequences.upperBound..<end : nil
        }
    }
}
