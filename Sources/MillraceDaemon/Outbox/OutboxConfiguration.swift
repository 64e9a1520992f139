import MillraceIntake
import MillracePostgres

/// How the outbox is read, and what its rows may be.
struct OutboxConfiguration: Sendable {
    /// libpq connection string or URI. Secret: never logged.
    @Unprinted var databaseURL: String
    /// Time from one look at an empty outbox to the next; also how often another daemon's lock is tried.
    var poll: Duration
    /// Rows taken at a time.
    var rowsMax: Int
    /// Time for one attempt to connect.
    var connectTimeout: Duration
    var statementTimeout: Duration
    /// Bounds of the back-off while PostgreSQL is away.
    var retryMin: Duration
    var retryMax: Duration
    /// The intake's: a row is held to what a line is held to.
    var lines: LineLimits
    /// How much of a refused row is kept in `dead_letters`.
    var refusedLineBytesMax: Int
}
