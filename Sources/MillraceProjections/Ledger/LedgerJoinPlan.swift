import MillraceEvent

/// Which rows of a stretch of the ledger become one, and with which span. A value without I/O and clock.
///
/// Invariants, of the spans that there are and of those that this makes
/// 1. No two spans overlap, so that a batch id is in one span at most.
/// 2. The joined rows of a span have the same `folded`: a version holds all of a span or nothing of it.
/// 3. A span lies in one day (UTC).
/// 4. A joined row covers adjacent sequences of one spool.
///
/// Plain rows may lie within a span; what is left alone stays exact by itself.
struct LedgerJoinPlan: Equatable {
    /// The rows of `spool` within `sequences` become one, or, already being one, get the span.
    struct Join: Equatable {
        var spool: String
        var sequences: ClosedRange<Int64>
        var span: ClosedRange<Int64>
        var folded: String
    }

    /// Lines of a span, of all spools: what a rebuild folds in one transaction. A batch that comes later than its
    /// neighbours is let into its span all the same.
    static let linesMax = 100_000

    private(set) var joins: [Join] = []
    /// Of the span that is being gathered.
    private var members: [LedgerEntry] = []
    private var end = Int64.min
    private var lines = 0

    /// `entries`: plain rows that are old enough, and the joined rows of every span that lies between them or before them,
    /// sorted by `LedgerEntry.precedes`. Of a span all joined rows are there.
    init(_ entries: [LedgerEntry], linesMax: Int = Self.linesMax) {
        let common = Self.commonFolded(entries)
        var index = entries.startIndex
        while index < entries.endIndex {
            let entry = entries[index]
            if entry.isJoined {
                let next = entries[index...].firstIndex { !$0.isJoined || $0.batchIDs != entry.batchIDs }
                let span = entries[index..<(next ?? entries.endIndex)]
                index = span.endIndex
                take(span, linesMax)
            } else {
                index += 1
                // Two batches of one id can't be told from each other, unless both stay as they are.
                let isTwin = entries[index...].first?.batchIDs == entry.batchIDs
                let isSecond = index > 1 && entries[index - 2].batchIDs == entry.batchIDs
                if !isTwin, !isSecond { take(entry, common, linesMax) }
            }
        }
        close()
    }

    private mutating func take(_ span: ArraySlice<LedgerEntry>, _ linesMax: Int) {
        guard let first = span.first, first.batchIDs.lowerBound > end else { return }
        let count = span.reduce(0) { $0 + $1.lines }
        if !fits(first, count, linesMax) { close() }
        members += span
        end = first.batchIDs.upperBound
        lines += count
    }

    private mutating func take(_ entry: LedgerEntry, _ common: String, _ linesMax: Int) {
        let isWithin = entry.batchIDs.upperBound <= end
        let isAlike = members.first?.folded == entry.folded
        guard isWithin ? isAlike : entry.folded == common else { return }
        if !isWithin, !fits(entry, entry.lines, linesMax) { close() }
        members.append(entry)
        end = max(end, entry.batchIDs.upperBound)
        lines += entry.lines
    }

    private func fits(_ entry: LedgerEntry, _ count: Int, _ linesMax: Int) -> Bool {
        guard let first = members.first else { return true }
        return first.folded == entry.folded && lines + count <= linesMax
            && BatchID.day(of: first.batchIDs.lowerBound) == BatchID.day(of: entry.batchIDs.upperBound)
    }

    /// Joins what of the gathered rows is adjacent. Rows that find no neighbour stay out of the span.
    private mutating func close() {
        var islands: [[LedgerEntry]] = []
        let sorted = members.sorted { ($0.spool, $0.sequences.lowerBound) < ($1.spool, $1.sequences.lowerBound) }
        for entry in sorted {
            if let last = islands.last?.last, last.spool == entry.spool,
                last.sequences.upperBound + 1 == entry.sequences.lowerBound
            {
                islands[islands.count - 1].append(entry)
            } else {
                islands.append([entry])
            }
        }
        if islands.contains(where: { $0.count > 1 }) {
            let kept = islands.filter { $0.count > 1 || $0[0].isJoined }
            let ranges = kept.joined().map(\.batchIDs)
            let span = (ranges.map(\.lowerBound).min() ?? 0)...(ranges.map(\.upperBound).max() ?? 0)
            for island in kept where island.count > 1 || island[0].batchIDs != span {
                joins.append(
                    Join(
                        spool: island[0].spool,
                        sequences: island[0].sequences.lowerBound...island[island.count - 1].sequences.upperBound,
                        span: span, folded: island[0].folded))
            }
        }
        members = []
        lines = 0
    }

    /// What most of the plain rows are folded into. Rows of daemons with other packs in between stay plain.
    private static func commonFolded(_ entries: [LedgerEntry]) -> String {
        var counts: [String: Int] = [:]
        for entry in entries where !entry.isJoined { counts[entry.folded, default: 0] += 1 }
        return counts.max { ($0.value, $0.key) < ($1.value, $1.key) }?.key ?? ""
    }
}

/// A row of the ledger, as far as joining looks at it.
struct LedgerEntry: Sendable, Equatable {
    /// The spool's id, as the server writes it.
    var spool: String
    /// Of the spool.
    var sequences: ClosedRange<Int64>
    /// Of a plain row its one batch id, of a joined row its span.
    var batchIDs: ClosedRange<Int64>
    var isJoined: Bool
    /// The versions that hold it, of those that there are, ascending: `{1,2}`.
    var folded: String
    /// Rows, duplicates, dead and refused lines.
    var lines: Int

    /// In the order in which `LedgerJoinPlan` takes them.
    static func precedes(_ left: LedgerEntry, _ right: LedgerEntry) -> Bool {
        (left.batchIDs.lowerBound, left.isJoined ? 0 : 1) < (right.batchIDs.lowerBound, right.isJoined ? 0 : 1)
    }
}
