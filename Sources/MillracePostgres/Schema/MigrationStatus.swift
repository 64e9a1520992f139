/// Where one migration stands in a database.
package struct MigrationStatus: Sendable, Hashable {
    package enum State: String, Sendable {
        case applied
        case pending
        /// Applied, but with another text than this version of Millrace has.
        case changed
        /// Applied by a newer version of Millrace.
        case unknown
    }

    package var version: Int
    package var title: String
    package var state: State
    /// As PostgreSQL writes a timestamptz, UTC; nil while pending.
    package var appliedAt: String?
}
