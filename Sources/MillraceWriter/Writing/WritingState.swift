package import MillraceEvent

/// Whether events are being written, as operators are told.
package struct WritingState: Sendable, Equatable {
    /// What stands still.
    package enum Reach: String, Sendable {
        /// No batch goes through.
        case nothing
        /// Some batches wait, others go through.
        case some
    }

    /// Something that has stood still for as long as is not normal.
    package struct Stall: Sendable, Equatable {
        package var reach: Reach
        package var since: Timestamp
        package var fault: WritingFault
        /// Lines in the spool that wait for it.
        package var linesWaiting: Int
    }

    /// nil while all is written.
    package var stall: Stall?

    package init(stall: Stall? = nil) {
        self.stall = stall
    }

    /// False while lines wait and nothing is written.
    package var isWriting: Bool { stall?.reach != .nothing }
}
