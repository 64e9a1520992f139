/// What a writer puts into PostgreSQL in one transaction: extents without a gap in their sequences.
package struct Batch: Sendable, Equatable {
    /// In order of sequence, at least one.
    package var extents: [Extent]

    package init(extents: [Extent]) {
        precondition(!extents.isEmpty, "a batch has at least one extent")
        self.extents = extents
    }

    package var sequences: Range<UInt64> {
        extents[0].firstSequence..<extents[extents.count - 1].sequences.upperBound
    }

    package var count: Int { extents.reduce(0) { $0 + $1.count } }
}
