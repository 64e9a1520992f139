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

    /// The batch in two, each with half of the extents; one that can't be halved is left as it is.
    package var halves: [Batch] {
        guard extents.count > 1 else { return [self] }
        let middle = extents.count / 2
        return [Batch(extents: Array(extents[..<middle])), Batch(extents: Array(extents[middle...]))]
    }

    /// The extents in order, as many together as `bytesMax` allows; a larger one is a part of its own.
    package func parts(bytesMax: Int) -> [ArraySlice<Extent>] {
        var parts: [ArraySlice<Extent>] = []
        var start = 0
        var bytes = 0
        for (index, extent) in extents.enumerated() {
            if index > start, bytes + extent.length > bytesMax {
                parts.append(extents[start..<index])
                start = index
                bytes = 0
            }
            bytes += extent.length
        }
        return parts + [extents[start...]]
    }
}
