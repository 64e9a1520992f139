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
