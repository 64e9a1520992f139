internal import MillraceEvent

/// Sets a spool's rows of the ledger, and what this host has of the spool, against the sequences that were given out.
///
/// Each run of a daemon gives out sequences without a gap from where it begins; between two runs there are none. So within
/// a run, up to the last sequence that anyone knows of, whatever is missing is a line.
struct SpoolAccount {
    /// The first sequence of a spool from before runs were told apart.
    static let firstSequence: UInt64 = 1
    /// Sequences below are of such spools.
    private static let runsMin: UInt64 = 1 << 44

    /// Lines in spool, by kind.
    var inSpool: [RecordKind: Int] = [:]
    /// When the oldest line in spool was received; nil when there is none.
    var oldestReceivedAt: Timestamp?
    /// Given out, and neither in the ledger nor to be read back; not those that were never acknowledged.
    var lost: SequenceSet
    /// Given out before others that the ledger holds, and not in it.
    var holes: SequenceSet

    /// - Parameters:
    ///   - snapshot: taken before the rest; nil when the spool is not on this host.
    ///   - totals: of the batches that begin before the snapshot's end.
    ///   - holes: between batches.
    ///   - runStarts: first sequences of runs, as the database knows them.
    ///   - first: sequences below are not audited.
    init(
        snapshot: SpoolSnapshot?, totals: LedgerTotals, holes: [Range<UInt64>], runStarts: [UInt64],
        from first: UInt64 = Self.firstSequence
    ) {
        // A batch may hold lines from both sides of the moment of the snapshot; what begins after it is not audited.
        let end = max(snapshot?.endSequence ?? 0, totals.endSequence)
        var covered = SequenceSet([totals.firstSequence..<totals.endSequence])
        for hole in holes { covered.remove(hole) }
        let lines = SequenceSet((snapshot?.runs ?? []).map(\.sequences))
        var open = SequenceSet()
        for run in Self.runs(runStarts + (snapshot?.runStarts ?? []), covered, lines) {
            let ends =
                [covered, lines].compactMap { $0.parts(of: run).last?.upperBound }
                + (snapshot?.segmentEnds ?? []).filter { run.contains($0 - 1) }
            guard let last = ends.max() else { continue }
            let start = max(run.lowerBound, first)
            for gap in covered.gaps(in: start..<max(start, min(last, end))) { open.insert(gap) }
        }
        for kind in RecordKind.allCases { inSpool[kind] = snapshot?.count(of: kind, in: open) ?? 0 }
        oldestReceivedAt = snapshot?.runs.first { open.gaps(in: $0.sequences) != [$0.sequences] }?.receivedAt
        self.holes = SequenceSet(open.parts(of: 0..<totals.endSequence))
        lost = open
        for range in lines.ranges { lost.remove(range) }
        for range in snapshot?.burnt ?? [] { lost.remove(range) }
    }

    /// Each from its first sequence up to that of the next one.
    private static func runs(_ starts: [UInt64], _ covered: SequenceSet, _ lines: SequenceSet) -> [Range<UInt64>] {
        var starts = Set(starts)
        let first = [covered, lines].compactMap { $0.ranges.first?.lowerBound }.min()
        if let first, starts.allSatisfy({ $0 > first }) { starts.insert(first < runsMin ? firstSequence : first) }
        let sorted = starts.sorted()
        return zip(sorted, sorted.dropFirst() + [.max]).map { $0..<$1 }
    }
}
