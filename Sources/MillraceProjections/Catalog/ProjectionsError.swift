/// Why the packs' tables could not be installed, rebuilt or counted again. What went wrong in PostgreSQL is thrown as
/// `PostgresError`.
package struct ProjectionsError: Error, Sendable, Equatable, CustomStringConvertible {
    package enum Code: String, Sendable, CaseIterable {
        /// The migrations that projections need are not applied.
        case notMigrated = "not_migrated"
        /// A pack of `projections.packs` has no version in the database.
        case notInstalled = "not_installed"
        /// The pack's files are others than those its version was made from.
        case definitionChanged = "definition_changed"
        /// The database has a higher version of the pack than these files.
        case newerInDatabase = "newer_in_database"
        /// The pack's SQL did not run.
        case invalidSQL = "invalid_sql"
        /// Another rebuild or recount holds the lock.
        case busy
        /// Rows of a retired month would be lost.
        case sealedMonths = "sealed_months"
        /// A view of someone else's reads the tables that were to go.
        case dependentView = "dependent_view"
        case unknownPack = "unknown_pack"
        /// Events of the pack that its own functions wrote are not yet in the tables.
        case outboxWaiting = "outbox_waiting"
    }

    package var code: Code
    /// Empty when no single one is meant.
    package var pack: String
    /// What is wrong, without payloads.
    package var message: String
    /// The operator's next step.
    package var hint: String

    package init(_ code: Code, pack: String = "", _ message: String, hint: String) {
        self.code = code
        self.pack = pack
        self.message = message
        self.hint = hint
    }

    package var isRetryable: Bool { code == .busy || code == .outboxWaiting }

    package var description: String {
        "\(code.rawValue)\(pack.isEmpty ? "" : " of pack \(pack)"): \(message). \(hint)"
    }
}
