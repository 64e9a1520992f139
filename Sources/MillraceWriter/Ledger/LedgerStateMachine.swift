import MillraceEvent

/// Knows which sequences of one spool are in the ledger, which of those PostgreSQL has flushed, and what it may have
/// lost. A value without I/O and clock.
///
/// A commit is *settled* (its segment may go) once it is flushed on the server that committed it. `Server` stands for
/// one run of one server: whenever it changes, what the old run committed without our knowing it flushed (or what a
/// standby never got) may be gone, so the ledger is read again and what it lacks is scanned out of the spool again. A
/// ledger may also go backwards on a server that stays the same (truncated, restored in place): whoever finds that it
/// lacks a sequence that is known to be committed has it read again, by `ledgerLacked`.
struct LedgerStateMachine<Server: Equatable & Sendable>: Sendable {
    enum Action: Sendable, Equatable {
        /// Read the ledger (all rows from the oldest retained sequence on) and call `ledgerRead`.
        case readLedger
        /// These are not in the ledger and nobody has them: find them in the spool and queue them.
        case scan([Range<UInt64>])
        /// These are in the ledger and flushed.
        case settled([Range<UInt64>])
        /// These may not be, or are not, in the ledger any more.
        case unsettled([Range<UInt64>])
    }

    private struct Unflushed: Sendable {
        var sequences: Range<UInt64>
        var position: LogPosition
    }

    /// Sequences below this were on disk before this run; from here on the spool publishes them itself.
    private let liveStart: UInt64
    private var hasReadLedger = false
    private var server: Server?
    /// Committed on `server`.
    private var committed = SequenceSet()
    /// Committed on an earlier server; whether they are still there is to be asked.
    private var doubtful = SequenceSet()
    private var unflushed: [Unflushed] = []
    /// In no batch any more: a writer has seen them in the ledger, or its first reading has. Others wait for a writer, or are
    /// with one, whatever the ledger held meanwhile; a second batch of them would be written beside it.
    private var written = SequenceSet()
    /// What was committed when the reading of the ledger began, and so must be in the answer.
    private var committedBeforeRead = SequenceSet()

    /// `liveStart`: the first sequence of this run of the daemon.
    init(liveStart: UInt64) {
        self.liveStart = liveStart
    }

    /// Number of commits that are not known to be flushed.
    var unflushedCount: Int { unflushed.count }

    /// Those of `ranges` that are known not to be in the ledger; none before it has been read.
    func missing(_ ranges: [Range<UInt64>]) -> [Range<UInt64>] {
        hasReadLedger ? ranges.filter { !committed.contains($0) } : []
    }

    /// Those of `retained` that are not known to be in the ledger.
    func uncommitted(of retained: SequenceSet) -> Uncommitted {
        let gaps = retained.ranges.flatMap { committed.gaps(in: $0) }
        let earlier = gaps.prefix { $0.lowerBound < liveStart }
        return Uncommitted(
            count: gaps.reduce(0) { $0 + $1.count },
            earlierCount: earlier.reduce(0) { $0 + Int(min($1.upperBound, liveStart) - $1.lowerBound) },
            first: gaps.first?.lowerBound)
    }

    /// The first sequence that is not settled, or may come to be unsettled; `end` when all below it are.
    func settledEnd(of retained: SequenceSet, end: UInt64) -> UInt64 {
        let open = [uncommitted(of: retained).first] + unflushed.map(\.sequences.lowerBound)
        return min(open.compactMap { $0 }.min() ?? end, end)
    }

    /// The last position to wait for; nil when all is flushed.
    var unflushedEnd: LogPosition? { unflushed.map(\.position).max() }

    /// A connection to `current` has come up.
    mutating func connected(to current: Server) -> [Action] {
        guard current != server else { return hasReadLedger && doubtful.isEmpty ? [] : [.readLedger] }
        server = current
        let unsettled = committed.ranges
        for range in unsettled { doubtful.insert(range) }
        committed = SequenceSet()
        unflushed = []
        return (unsettled.isEmpty ? [] : [.unsettled(unsettled)]) + [.readLedger]
    }

    /// The ledger was found not to hold a sequence that is known to be committed.
    mutating func ledgerLacked() -> [Action] { [.readLedger] }

    /// A sequence that the ledger must hold, for whoever looks whether it does: the last one, and that of `share` (0 ..< 1)
    /// on the way there.
    func probes(share: Double) -> [UInt64] {
        guard let last = committed.ranges.last else { return [] }
        var left = UInt64(Double(committed.count) * share)
        for range in committed.ranges {
            if left < UInt64(range.count) { return [range.lowerBound + left, last.upperBound - 1] }
            left -= UInt64(range.count)
        }
        return [last.upperBound - 1]
    }

    /// The reading of the ledger begins; `ledgerRead` ends it.
    mutating func ledgerReadBegan() {
        committedBeforeRead = committed
    }

    /// A batch is committed on `committer`; the log ended at `position` right after.
    mutating func batchCommitted(
        _ sequences: Range<UInt64>, at position: LogPosition, on committer: Server
    ) -> [Action] {
        written.insert(sequences)
        guard committer == server else {
            doubtful.insert(sequences)
            return [.readLedger]
        }
        committed.insert(sequences)
        unflushed.append(Unflushed(sequences: sequences, position: position))
        return []
    }

    /// A batch ended unwritten, since the ledger holds the parts `covered` of it.
    mutating func overlapFound(in sequences: Range<UInt64>, covered: [Range<UInt64>]) -> [Action] {
        let ledger = SequenceSet(covered)
        for range in ledger.parts(of: sequences) { written.insert(range) }
        let missing = ledger.gaps(in: sequences)
        return missing.isEmpty ? [] : [.scan(missing)]
    }

    /// The ledger of `reader` holds `ranges`, all of its from the first `retained` sequence on; it was read before the log
    /// ended at `position`.
    mutating func ledgerRead(
        _ ranges: [Range<UInt64>], retained: SequenceSet, at position: LogPosition, on reader: Server
    ) -> [Action] {
        guard reader == server else { return [.readLedger] }
        let ledger = SequenceSet(ranges)
        var missing = SequenceSet()
        if !hasReadLedger {
            hasReadLedger = true
            for range in retained.ranges where range.lowerBound < liveStart {
                let earlier = range.lowerBound..<min(range.upperBound, liveStart)
                written.insert(earlier)
                for gap in ledger.gaps(in: earlier) { missing.insert(gap) }
            }
        }
        for gap in doubtful.ranges.flatMap({ ledger.gaps(in: $0) }) { missing.insert(gap) }
        doubtful = SequenceSet()
        let vanished = committedBeforeRead.ranges.flatMap { committed.parts(of: $0) }.flatMap { ledger.gaps(in: $0) }
            .flatMap { retained.parts(of: $0) }
        committedBeforeRead = SequenceSet()
        for range in vanished {
            committed.remove(range)
            unflushed.removeAll { $0.sequences.overlaps(range) }
            missing.insert(range)
        }
        for range in ledger.ranges {
            committed.insert(range)
            unflushed.append(Unflushed(sequences: range, position: position))
        }
        // What is not retained any more can't be written again.
        let wanted = missing.ranges.flatMap { retained.parts(of: $0) }.flatMap { written.parts(of: $0) }
        for range in wanted { written.remove(range) }
        return (vanished.isEmpty ? [] : [.unsettled(vanished)]) + (wanted.isEmpty ? [] : [.scan(wanted)])
    }

    /// `flusher` has flushed its log up to `position`.
    mutating func flushed(to position: LogPosition, on flusher: Server) -> [Action] {
        guard flusher == server else { return [] }
        let settled = unflushed.filter { $0.position <= position }.map(\.sequences)
        unflushed.removeAll { $0.position <= position }
        return settled.isEmpty ? [] : [.settled(settled)]
    }

    /// Everything below `sequence` has been retired from the spool; forget it.
    mutating func retired(below sequence: UInt64) -> [Action] {
        committed.remove(0..<sequence)
        doubtful.remove(0..<sequence)
        written.remove(0..<sequence)
        return []
    }
}

/// Lines in the spool that the ledger is not known to hold; all of them, before it has been read.
package struct Uncommitted: Sendable, Equatable {
    package var count = 0
    /// Of `count`, those that were on disk before this run.
    package var earlierCount = 0
    /// Sequence of the oldest one; nil when there is none.
    package var first: UInt64?

    package init(count: Int = 0, earlierCount: Int = 0, first: UInt64? = nil) {
        self.count = count
        self.earlierCount = earlierCount
        self.first = first
    }
}
