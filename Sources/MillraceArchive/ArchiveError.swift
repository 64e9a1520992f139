/// Why a month could not be retired, archived or restored. What went wrong in PostgreSQL is thrown as `PostgresError`.
package struct ArchiveError: Error, Sendable, Equatable, CustomStringConvertible {
    package enum Code: String, Sendable, CaseIterable {
        /// The month is not over yet.
        case monthOpen = "month_open"
        /// There is neither a table nor an archive of the month.
        case monthUnknown = "month_unknown"
        /// The month's partition has another name, holds other months too, or is no table.
        case monthForeign = "month_foreign"
        /// Another command or daemon is at this month.
        case monthBusy = "month_busy"
        /// Daemons may hold rows of it that they have acknowledged.
        case monthWaiting = "month_waiting"
        /// What was begun with the month has to be ended before.
        case monthUnfinished = "month_unfinished"
        /// The archive holds other rows than the table.
        case archiveMismatch = "archive_mismatch"
        /// A file of the archive is missing, or is not what the manifest says.
        case archiveDamaged = "archive_damaged"
        /// The disk or its permissions.
        case archiveDisk = "archive_disk"
        /// `archive.command` or `archive.fetch_command` failed.
        case archiveCommand = "archive_command"
    }

    package var code: Code
    /// What is wrong, without payloads.
    package var message: String
    /// The operator's next step.
    package var hint: String

    package init(_ code: Code, _ message: String, hint: String) {
        self.code = code
        self.message = message
        self.hint = hint
    }

    /// Whether the same may succeed later without anybody's help.
    package var isRetryable: Bool {
        switch code {
        case .monthBusy, .monthWaiting, .archiveCommand, .archiveMismatch: true
        case .monthOpen, .monthUnknown, .monthForeign, .monthUnfinished, .archiveDamaged, .archiveDisk: false
        }
    }

    package var description: String { "\(code.rawValue): \(message). \(hint)" }
}

extension ArchiveError {
    static func disk(_ path: String, _ reason: String) -> ArchiveError {
        ArchiveError(
            .archiveDisk, "\(path): \(reason)",
            hint: "Check archive.directory, its permissions, and the room on its disk.")
    }
}
