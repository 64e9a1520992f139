/// One line of the history: a migration that was applied or undone.
package struct MigrationRecord: Sendable, Hashable {
    package enum Direction: String, Sendable {
        case up
        case down
    }

    package var version: Int
    package var title: String
    package var direction: Direction
    /// As PostgreSQL writes a timestamptz, UTC.
    package var at: String
    /// The role that did it.
    package var role: String
}
