package import MillraceAccess
package import MillraceChannels
package import MillraceEvent
package import MillracePostgres
package import MillraceTreatment

/// `[api]`: how PostgreSQL is read.
package struct APIConfiguration: Sendable, Equatable {
    /// Servers that `readURL` may name.
    package static let replicasMax = 16

    /// libpq connection strings or URIs of replicas of `database.url`, which is read where there are none.
    package var readURL: [Secret] = []
    /// A replica that is further behind the primary is not read.
    package var maxLag = Duration.seconds(10)
    /// From one look at how far the servers are to the next.
    package var lagInterval = Duration.milliseconds(500)
    /// How long a request waits for the lines that its `after` names.
    package var afterWait = Duration.seconds(2)
    /// Without keys, this machine reads over loopback.
    package var openOnLoopback = true
    /// Idle connections that are not closed.
    package var connectionsMin = 2
    package var connectionsMax = 20
    /// Checkouts at the same time, over connections of their own.
    package var checkoutsMax = 4
    /// Requests that wait for a connection; one more is refused.
    package var waitingMax = 1000
    /// How long a request waits for a connection.
    package var acquireTimeout = Duration.seconds(2)
    /// The server ends a statement after this; the client gives up a second later.
    package var statementTimeout = Duration.seconds(5)
    /// An unused connection above `connectionsMin` is closed after this.
    package var idleTimeout = Duration.seconds(60)
    /// A page ends when it has become as large, in bytes.
    package var pageBytes = 4 << 20
    /// Items that `offset` may leave out: all of them are read.
    package var offsetMax = 10_000
    /// Names that stand behind each other in `include`.
    package var includeDepth = 3
    /// Rows that all lists of one `include` have together.
    package var includeRowsMax = 10_000
    /// Longest time range of a report of the pack `product`.
    package var reportRangeMax = Duration.seconds(3660 * 86_400)
    /// Reports that are kept, in bytes.
    package var reportsBytes = 4 << 20
    /// A report that is older is made anew, also when no event has come.
    package var reportsLifetime = Duration.seconds(60)
    /// Signs cursors. Empty: a key of the daemon's own.
    package var cursorKey = Secret("")

    package init() {}
}

/// Of `[http]` and `[latency]`: what the routes that Hummingbird answers go by, and nobody else.
package struct RoutesConfiguration: Sendable, Equatable {
    /// Largest body of a conversation save, in bytes.
    package var requestBodyMax = 2 << 20
    /// Latest conversation saves whose user is remembered until PostgreSQL is sure to know it.
    package var knownSavesMax = 100_000
    /// A database that is away makes `/readyz` and the health page answer 503.
    package var strictHealthChecks = false
    /// Recordings of latencies at the same time.
    package var recordingsMax = 16

    package init() {}
}

/// What the routes go by: sections of config.toml as they are, and what the daemon found at its start.
package struct APIRoutesConfiguration: Sendable {
    package var api = APIConfiguration()
    package var routes = RoutesConfiguration()
    package var streams = StreamsConfiguration()
    package var eventLimits = EventLimits()
    /// What is done to saves that the parser accepts; nil: nothing.
    package var policy: LinePolicy?
    /// Seconds in `Retry-After` when the spool takes nothing (`http.retry_after`).
    package var retryAfterSeconds = 2
    /// What bodies and recordings hold.
    package var memory = MemoryBudget()
    /// Who may ask.
    package var keys = KeyRing(isRequired: false)
    package var auth = AuthConfiguration()
    package var page = PageConfiguration()
    /// Logins to the page; a reload keeps them.
    package var sessions = PageSessions()
    /// Of the daemon, for `/openapi.json`.
    package var version = "0"

    package init() {}
}
