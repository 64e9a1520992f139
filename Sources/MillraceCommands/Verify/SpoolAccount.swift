internal import MillraceEvent

/// Sets one host's spool against its rows of the ledger.
struct SpoolAccount {
    /// The first sequence a spool ever gives out.
    static let firstSequence: UInt64 = 1

    /// By kind.
    var inSpool: [RecordKind: Int] = [:]
    /// When the oldest line in spool was received; nil when there is none.
    var oldestReceivedAt: Timestamp?
    /// Acknowledged, neither in the ledger nor to be read back.
    var lost: SequenceSet

    /// - Parameters:
    ///   - snapshot: taken before `totals` and `holes`.
    ///   - totals: of the batches that begin before the snapshot's end.
    ///   - holes: between batches.
    ///   - first: sequences below are not audited.
    init(
        snapshot: SpoolSnapshot, totals: LedgerTotals, holes: [Range<UInt64>], from first: UInt64 = Self.firstSequence
    ) {
        // A batch may hold lines from both sides of the moment of the snapshot; what begins behind it is not audited.
        let end = max(snapshot.endSequence, totals.endSequence)
        var open = SequenceSet(holes.filter { $0.lowerBound < end }.map { $0.clamped(to: 0..<end) })
        if totals.batches == 0 {
            if first < end { open.insert(first..<end) }
        } else {
            if totals.firstSequence > first { open.insert(first..<totals.firstSequence) }
            if totals.endSequence < end { open.insert(totals.endSequence..<end) }
        }
        for kind in RecordKind.allCases { inSpool[kind] = snapshot.count(of: kind, in: open) }
        oldestReceivedAt = snapshot.runs.first { open.gaps(in: $0.sequences) != [$0.sequences] }?.receivedAt
        lost = open
        for run in snapshot.runs { lost.remove(run.sequences) }
        for range in snapshot.burnt { lost.remove(range) }
    }
}
