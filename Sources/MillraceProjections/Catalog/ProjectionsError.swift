/// Why the packs' tables could not be installed, rebuilt or counted again. What went wrong in PostgreSQL is thrown as
/// `PostgresError`.
package struct ProjectionsError: Error, Sendable, Equatable, CustomStringConvertible {
    package enum Code: String, Sendable, CaseIterable {
        /// The migrations that projections need are not applied.
        case notMigrated = "not_migrated"
        /// A pack of `projections.packs` has no version in the database.
        case notInstalled = "not_installed"
        /// The pack's files differ from those that its version was made from.
        case definitionChanged = "definition_changed"
        /// The database has a higher version of the pack than these files.
        case newerInDatabase = "newer_in_database"
        /// The pack's SQL did not run.
        case invalidSQL = "invalid_sql"
        /// Another rebuild or recount holds the lock.
        case busy
        /// Counts of a retired month, whose rows are gone, would be lost.
        case sealedMonths = "sealed_months"
        /// A view that isn't the pack's reads tables that would be dropped.
        case dependentView = "dependent_view"
        case unknownPack = "unknown_pack"
        /// Events that the pack's own functions wrote still wait in the outbox.
        case outboxWaiting = "outbox_waiting"
        /// Tables of the live version are spread over the workers of a Citus cluster, as new ones would not be.
        case tablesDistributed = "tables_distributed"
    }

    package var code: Code
    /// Empty when the error isn't about one pack.
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
