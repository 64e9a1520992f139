package import MillracePostgres

/// What became of a batch in the versions it was folded into.
package struct FoldOutcome: Sendable {
    /// A version that the batch could not be folded into, for no fault of the rows: its tables are not what they were.
    package struct Failure: Sendable {
        package var versionID: Int32
        package var error: PostgresError
    }

    /// Ids of the versions that hold the batch now: for the ledger row's `folded`.
    package var folded: [Int32] = []
    /// Events whose row a table refused; they are in `projections.parked`.
    package var parkedCount = 0
    package var failures: [Failure] = []

    package init() {}
}
