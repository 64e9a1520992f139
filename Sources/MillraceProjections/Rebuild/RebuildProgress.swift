/// How far a rebuild is.
package struct RebuildProgress: Sendable, Equatable {
    package enum Step: String, Sendable {
        case folding
        /// Waiting for the moment without a batch under way, to switch.
        case switching
    }

    package var step: Step
    /// Of batches that were there when the version was begun, or that nobody else folded since.
    package var batchesDone: Int
    package var batchesTotal: Int
    /// Read in this run.
    package var rows: Int
    /// Still to be read, as the ledger counts them.
    package var rowsLeft: Int
}
