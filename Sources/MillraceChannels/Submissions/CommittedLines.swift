/// What became of a submission's lines, once all are committed: those that are named nowhere here went in.
package struct CommittedLines: Sendable, Equatable {
    /// Lines whose row was there already.
    package var duplicates = 0
    /// Lines in `dead_letters`.
    package var dead = 0
    /// Lines that a projection lacks, counted once for each of its folds that does.
    package var parked = 0
    /// Of the dead and the parked lines, in order of sequence; not all, where the sender wants no more.
    package var reports: [LineReport] = []

    package init() {}
}

/// What the database says of a line that did not simply go in.
package struct LineReport: Sendable, Equatable {
    package enum Fate: Sendable, Equatable {
        /// The line is in `dead_letters`, and in no table.
        case dead
        /// The row is stored; this fold of this pack lacks it.
        case parked(pack: String, fold: String)
    }

    /// The longest message that is passed on, in characters: it may quote a value of the line.
    package static let messageLengthMax = 500

    package var sequence: UInt64
    package var fate: Fate
    /// Of the dead letter, or of `projections.parked`.
    package var code: String
    /// The constraint or unique index that refused the row.
    package var constraint: String?
    package var sqlState: String?
    package private(set) var message: String

    package init(
        sequence: UInt64, _ fate: Fate, code: String, constraint: String?, sqlState: String?, message: String
    ) {
        self.sequence = sequence
        self.fate = fate
        self.code = code
        self.constraint = constraint
        self.sqlState = sqlState
        self.message = String(message.prefix(Self.messageLengthMax))
    }
}
