internal import Algorithms

/// A set of sequence numbers as sorted, disjoint, non-adjacent ranges. Small as long as what is in it is nearly whole.
package struct SequenceSet: Sendable, Equatable, ExpressibleByArrayLiteral {
    package private(set) var ranges: [Range<UInt64>] = []

    package init() {}

    package init(_ ranges: some Sequence<Range<UInt64>>) {
        for range in ranges { insert(range) }
    }

    package init(arrayLiteral ranges: Range<UInt64>...) {
        self.init(ranges)
    }

    package var isEmpty: Bool { ranges.isEmpty }

    /// Number of sequences in the set.
    package var count: UInt64 { ranges.reduce(0) { $0 + UInt64($1.count) } }

    /// Index of the first range whose end is at or after `sequence`.
    private func firstIndex(endingAtOrAfter sequence: UInt64) -> Int {
        ranges.partitioningIndex { $0.upperBound >= sequence }
    }

    /// Adds all of `range`, of which some may be in the set already; joins it with ranges that it overlaps or touches.
    package mutating func insert(_ range: Range<UInt64>) {
        guard !range.isEmpty else { return }
        let start = firstIndex(endingAtOrAfter: range.lowerBound)
        var merged = range
        var end = start
        while end < ranges.count, ranges[end].lowerBound <= range.upperBound {
            merged = min(merged.lowerBound, ranges[end].lowerBound)..<max(merged.upperBound, ranges[end].upperBound)
            end += 1
        }
        ranges.replaceSubrange(start..<end, with: CollectionOfOne(merged))
    }

    /// Takes out what of `range` is in the set; a range that reaches beyond it is cut or split.
    package mutating func remove(_ range: Range<UInt64>) {
        guard !range.isEmpty else { return }
        self = SequenceSet(
            sorted: ranges.flatMap { existing -> [Range<UInt64>] in
                guard existing.overlaps(range) else { return [existing] }
                return [
                    existing.lowerBound..<max(existing.lowerBound, range.lowerBound),
                    min(existing.upperBound, range.upperBound)..<existing.upperBound,
                ].filter { !$0.isEmpty }
            })
    }

    private init(sorted: [Range<UInt64>]) {
        ranges = sorted
    }

    /// Whether all of `range` is in the set; true for an empty range.
    package func contains(_ range: Range<UInt64>) -> Bool {
        guard !range.isEmpty else { return true }
        let index = firstIndex(endingAtOrAfter: range.upperBound)
        return index < ranges.count && ranges[index].lowerBound <= range.lowerBound
    }

    /// The parts of `range` that are in the set, in order.
    package func parts(of range: Range<UInt64>) -> [Range<UInt64>] {
        guard !range.isEmpty else { return [] }
        var parts: [Range<UInt64>] = []
        for existing in ranges[firstIndex(endingAtOrAfter: range.lowerBound)...] {
            guard existing.lowerBound < range.upperBound else { break }
            let part = existing.clamped(to: range)
            if !part.isEmpty { parts.append(part) }
        }
        return parts
    }

    /// The parts of `range` that are not in the set, in order.
    package func gaps(in range: Range<UInt64>) -> [Range<UInt64>] {
        var gaps: [Range<UInt64>] = []
        var next = range.lowerBound
        for existing in ranges[firstIndex(endingAtOrAfter: range.lowerBound)...] {
            guard existing.lowerBound < range.upperBound else { break }
            if existing.lowerBound > next { gaps.append(next..<existing.lowerBound) }
            next = max(next, existing.upperBound)
        }
        if next < range.upperBound { gaps.append(next..<range.upperBound) }
        return gaps
    }
}
