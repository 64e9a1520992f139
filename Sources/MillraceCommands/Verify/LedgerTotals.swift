/// Sums over one spool's rows of the ledger.
struct LedgerTotals: Equatable {
    /// Rows, duplicates and dead lines; the conversations' part of each.
    struct Counts: Equatable {
        var all = 0
        var conversations = 0

        var events: Int { all - conversations }
    }

    var batches = 0
    var rows = Counts()
    var duplicates = Counts()
    var dead = Counts()
    var refused = 0
    /// Sequences covered, as the rows' bounds say.
    var sequences = 0
    var firstSequence: UInt64 = 0
    /// One behind the last.
    var endSequence: UInt64 = 0
}
