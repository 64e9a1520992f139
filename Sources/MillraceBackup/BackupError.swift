/// Why a backup was not made, or not restored.
package struct BackupError: Error, Sendable, Equatable, CustomStringConvertible {
    package enum Code: String, Sendable, CaseIterable {
        /// Another `millrace backup` or `restore` works in the directory.
        case busy = "backup_running"
        case directoryUnusable = "backup_directory_unusable"
        case notFound = "backup_not_found"
        /// Of tables that lie on workers of Citus, which have no snapshot in common.
        case distributed = "backup_distributed"
        /// A file is missing, or is not what the manifest says.
        case damaged = "backup_damaged"
        /// Made by a newer Millrace, or of a newer PostgreSQL.
        case newer = "backup_newer"
        case noSpace = "backup_no_space"
        case writeFailed = "backup_write_failed"
        /// pg_dump and pg_restore, or their like, are not on this machine.
        case toolsMissing = "backup_tools_missing"
        case toolsTooOld = "backup_tools_too_old"
        /// One of PostgreSQL's programs said no.
        case dumpFailed = "backup_failed"
        case restoreFailed = "restore_failed"
        case databaseNotEmpty = "database_not_empty"
        case rolesMissing = "roles_missing"
        /// What can be done with the embedded database only.
        case notEmbedded = "not_embedded"
        case noBaseBackup = "no_base_backup"
    }

    package var code: Code
    /// What and where; no passwords.
    package var message: String
    /// The operator's next step.
    package var hint: String

    package init(_ code: Code, _ message: String, hint: String) {
        self.code = code
        self.message = message
        self.hint = hint
    }

    package var description: String { "\(code.rawValue): \(message). \(hint)" }
}
