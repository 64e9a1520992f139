/// How far one month is, for who waits for it.
package struct MonthProgress: Sendable, Equatable {
    package enum Step: String, Sendable {
        /// Waits until daemons have put in what they had acknowledged.
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
    /// What it waits for.
    package var detail: String?

    package init(step: Step, rows: Int = 0, of: Int = 0, detail: String? = nil) {
        self.step = step
        self.rows = rows
        self.of = of
        self.detail = detail
    }
}
