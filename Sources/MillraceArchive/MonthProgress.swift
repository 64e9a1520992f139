/// How far one month is, for who waits for it.
package struct MonthProgress: Sendable, Equatable {
    package enum Step: String, Sendable {
        case sealing
        case detaching
        case counting
        case archiving
        /// `archive.command` is at it.
        case sending
        /// `archive.fetch_command` is at it.
        case fetching
        /// Loads the archive beside the table, and compares.
        case verifying
        case dropping
        /// Loads the archive to be the month again.
        case loading
        case attaching
    }

    package var step: Step
    package var rows = 0
    /// 0 where nobody knows yet.
    package var of = 0

    package init(step: Step, rows: Int = 0, of: Int = 0) {
        self.step = step
        self.rows = rows
        self.of = of
    }
}
