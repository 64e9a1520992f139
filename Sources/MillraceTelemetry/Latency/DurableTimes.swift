internal import Algorithms

/// When groups of lines became durable, until they are committed: the time from durable to committed is computed from
/// this, since no disk holds it. Times are microseconds since 1970.
///
/// Bounded: beyond `groupsMax` groups, neighbours are joined in pairs. The joined one has the later time, so that the
/// error is at most the distance of two groups, after thousands of groups that waited much longer.
package struct DurableTimes: Sendable {
    /// 1 MB at most.
    package static let groupsMax = 16_384

    private struct Group {
        var sequences: Range<UInt64>
        var receivedAt: Int64
        var durableAt: Int64
        /// Lines that are not committed.
        var open: Int
    }

    /// Ascending; those before `head` are done with.
    private var groups: [Group] = []
    private var head = 0

    package init() {}

    /// Groups that are kept now.
    package var count: Int { groups.count - head }

    /// A group became durable; its sequences come after those of all earlier groups.
    package mutating func groupDurable(_ sequences: Range<UInt64>, receivedAt: Int64, durableAt: Int64) {
        guard !sequences.isEmpty else { return }
        if count == Self.groupsMax { join() }
        groups.append(
            Group(sequences: sequences, receivedAt: receivedAt, durableAt: durableAt, open: sequences.count))
    }

    /// A batch is committed: returns its parts and when each became durable, ascending. Of what was on disk before this
    /// run nothing is known, and nothing is returned.
    package mutating func batchCommitted(_ batch: Range<UInt64>) -> [(sequences: Range<UInt64>, durableAt: Int64)] {
        var parts: [(sequences: Range<UInt64>, durableAt: Int64)] = []
        var index = firstIndex(endingAfter: batch.lowerBound)
        while index < groups.count, groups[index].sequences.lowerBound < batch.upperBound {
            let part = groups[index].sequences.clamped(to: batch)
            parts.append((part, groups[index].durableAt))
            groups[index].open = max(0, groups[index].open - part.count)
            index += 1
        }
        while head < groups.count, groups[head].open == 0 { head += 1 }
        if head > 1024, head * 2 > groups.count {
            groups.removeSubrange(..<head)
            head = 0
        }
        return parts
    }

    /// When the first line of the group that holds `sequence` was received; nil when it is not known here.
    package func receivedAt(of sequence: UInt64) -> Int64? {
        let index = firstIndex(endingAfter: sequence)
        guard index < groups.count, groups[index].sequences.contains(sequence) else { return nil }
        return groups[index].receivedAt
    }

    private func firstIndex(endingAfter sequence: UInt64) -> Int {
        groups[head...].partitioningIndex { $0.sequences.upperBound > sequence }
    }

    private mutating func join() {
        var joined: [Group] = []
        joined.reserveCapacity(Self.groupsMax)
        for index in stride(from: head, to: groups.count, by: 2) {
            var group = groups[index]
            if index + 1 < groups.count {
                let next = groups[index + 1]
                group.sequences = group.sequences.lowerBound..<next.sequences.upperBound
                group.durableAt = next.durableAt
                group.open += next.open
            }
            joined.append(group)
        }
        groups = joined
        head = 0
    }
}
