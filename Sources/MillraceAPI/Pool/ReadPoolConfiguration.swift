package import MillracePostgres

/// How many connections readers may hold, and for how long.
package struct ReadPoolConfiguration: Sendable {
    /// libpq's keywords or URI.
    @Unprinted package var databaseURL: String
    /// What `pg_stat_activity` shows.
    package var applicationName = "millrace read"
    /// Idle connections that are not closed.
    package var connectionsMin = 2
    package var connectionsMax = 20
    /// Requests that wait for a connection; one more is refused.
    package var waitingMax = 1000
    /// How long a request waits for a connection.
    package var acquireTimeout = Duration.seconds(2)
    package var connectTimeout = Duration.seconds(5)
    /// The server ends a statement after this; the client gives up a second later.
    package var statementTimeout = Duration.seconds(5)
    /// An unused connection above `connectionsMin` is closed after this.
    package var idleTimeout = Duration.seconds(60)
    /// How long a stop waits for statements under way.
    package var drainLimit = Duration.seconds(5)

    package init(databaseURL: String) {
        self.databaseURL = databaseURL
    }
}
