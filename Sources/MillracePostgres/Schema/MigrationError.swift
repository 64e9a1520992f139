/// Why the schema was not changed. Each migration is one transaction: those before it stay applied, and it left nothing itself.
package struct MigrationError: Error, Sendable, CustomStringConvertible {
    package enum Code: String, Sendable, CaseIterable {
        /// An applied migration has another text in this version of Millrace.
        case checksumMismatch = "checksum_mismatch"
        /// The database was migrated by a newer version of Millrace.
        case unknownVersion = "unknown_version"
        /// The database refused; `cause` says why.
        case database
    }

    package var code: Code
    /// The migration's `name`; nil when no single one is at fault.
    package var migration: String?
    package var message: String
    package var hint: String
    package var cause: PostgresError?

    package var isRetryable: Bool { cause?.isRetryable ?? false }

    package var description: String {
        let place = migration.map { " at \($0)" } ?? ""
        return "\(code.rawValue)\(place): \(message). \(hint)"
    }

    static func checksumMismatch(_ migration: Migration) -> MigrationError {
        MigrationError(
            code: .checksumMismatch, migration: migration.name,
            message: "it was applied with another text than this version of Millrace has",
            hint: "Run the version that applied it (`millrace migrate history`); an applied file is never edited.")
    }

    static func unknownVersion(_ name: String) -> MigrationError {
        MigrationError(
            code: .unknownVersion, migration: name,
            message: "the database has a migration that this version of Millrace does not know",
            hint: "Run the newer Millrace, or let it migrate down first.")
    }

    static func heldUp(_ cause: PostgresError, _ wait: MigrationWait) -> MigrationError {
        MigrationError(
            code: .database, migration: wait.migration.name,
            message: "\(wait.tries) tries to lock \(wait.tables) were in vain\(wait.heldBy)",
            hint: "Run it again when that has ended; `SELECT pg_terminate_backend(PID)` ends a session.", cause: cause)
    }

    static func database(_ cause: PostgresError, at migration: Migration? = nil) -> MigrationError {
        MigrationError(
            code: .database, migration: migration?.name, message: cause.message, hint: cause.hint, cause: cause)
    }
}
