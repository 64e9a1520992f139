/// What a rebuild did.
package struct RebuildReport: Sendable, Equatable {
    package var pack: String
    package var version: Int
    /// Whether an earlier run was gone on with.
    package var isContinued: Bool
    /// Folded in this run; the writers folded the others.
    package var batches: Int
    package var rows: Int
    /// Events whose row the tables refused.
    package var parked: Int
    /// Events among them whose rows are too large to read.
    package var unread: Int
    /// Months whose rows were taken over as they were, `2026-10`.
    package var sealedMonths: [String]
}
