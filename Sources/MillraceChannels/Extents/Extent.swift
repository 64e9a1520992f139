/// Where a run of whole, adjacent records lies in the spool. Never the bytes themselves.
package struct Extent: Sendable, Hashable {
    /// Extents are merged up to this size, so a backlog of any size takes about one extent a MiB.
    package static let bytesMax = 1 << 20

    /// Number of the segment file.
    package var segment: UInt64
    /// Of the first record's header, from the start of the segment file, in bytes.
    package var offset: Int
    /// Headers and payloads together, in bytes.
    package var length: Int
    package var firstSequence: UInt64
    /// Number of lines.
    package var count: Int

    package init(segment: UInt64, offset: Int, length: Int, firstSequence: UInt64, count: Int) {
        self.segment = segment
        self.offset = offset
        self.length = length
        self.firstSequence = firstSequence
        self.count = count
    }

    package var sequences: Range<UInt64> { firstSequence..<firstSequence + UInt64(count) }

    /// True when `other` follows this one without a gap, on disk and in sequence.
    package func adjoins(_ other: Extent) -> Bool {
        segment == other.segment && offset + length == other.offset && sequences.upperBound == other.firstSequence
    }
}
