package import MillracePostgres

/// `[database]`: how the writers reach PostgreSQL and how patient they are.
package struct DatabaseConfiguration: Sendable, Equatable {
    /// This machine's server. `database` empty: libpq's own choice, as is the server where it `hasSocket` not.
    package static func local(database: String, hasSocket: Bool) -> Secret {
        Secret("postgresql:///\(database)" + (hasSocket ? "?host=/var/run/postgresql" : ""))
    }

    /// libpq connection string or URI; of `serve --embedded`, that of its own cluster.
    package var url = Self.local(database: "millrace", hasSocket: true)
    /// Where the rows of events and conversations are to lie: `millrace migrate up` sees to it.
    package var distribution = DistributionPolicy.none
    /// Number of writers, each with a connection and a thread of its own: 1 ... `WriterConfiguration.writersMax`.
    package var writers = 2
    /// Rows that wait when writers beyond the first take batches.
    package var joinRows = 4096
    /// Rows and bytes of one transaction at most.
    package var batchRows = 65_536
    package var batchBytes = 24 << 20
    /// Bytes of a batch that a writer holds at a time.
    package var partBytes = 6 << 20
    /// Time for one attempt to connect.
    package var connectTimeout = Duration.seconds(5)
    /// Longest wait for one answer of the server; then the connection is given up and the batch retried.
    package var statementTimeout = Duration.seconds(60)
    /// How long the making of a partition waits for a lock before it tries again.
    package var lockTimeout = PartitionOptions().lockTimeout
    /// How long a new daemon waits for the locks of a predecessor whose backends still run.
    package var sessionLockTimeout = Duration.seconds(30)
    /// Bounds of the back-off between attempts.
    package var retryMin = Duration.milliseconds(100)
    package var retryMax = Duration.seconds(10)
    /// Shortest time from one batch to the next: of some rows, of few.
    package var batchInterval = Duration.milliseconds(10)
    package var smallBatchInterval = Duration.milliseconds(50)
    /// How often the flushed end of the log is asked for while commits are unflushed.
    package var flushPoll = Duration.milliseconds(200)
    /// How long nothing is written while lines wait before that is a stall.
    package var stallAfter = Duration.seconds(8)
    /// How long a batch waits for a lock.
    package var batchLockTimeout = Duration.seconds(10)
    /// Batches that are set aside at a time.
    package var stuckBatchesMax = 16
    /// Tries before an error of a trigger, a rule or a conversion is looked for in single rows.
    package var rowErrorTries = 3
    /// How long a stop waits for what is still in the extent channel.
    package var drainLimit = Duration.seconds(5)
    /// How old neighbouring rows of the ledger are joined into one. Zero in config.toml for longer than `spool.retain`.
    package var ledgerJoinAge = Duration.zero

    /// How often the daemon's row of `public.daemons` is written while something changes.
    package var presenceInterval = Duration.seconds(5)
    /// How long a daemon that went away stays in `public.daemons`.
    package var presenceKeep = Duration.seconds(90 * 86_400)

    package init() {}
}
