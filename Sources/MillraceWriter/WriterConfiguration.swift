import MillraceEvent
package import MillracePostgres
package import MillraceProjections

/// How the writers reach PostgreSQL and how patient they are. One value for the whole stage; `config.toml` says it.
package struct WriterConfiguration: Sendable {
    /// libpq connection string or URI. Secret: never logged.
    @Unprinted package var databaseURL: String
    /// Number of writers, each with a connection and a thread of its own: 1 ... `writersMax`.
    package var writers: Int
    /// Time for one attempt to connect.
    package var connectTimeout: Duration
    /// Longest wait for one answer of the server; then the connection is given up and the batch retried.
    package var statementTimeout: Duration
    /// How long a new daemon waits for the locks of a predecessor whose backends still run.
    package var sessionLockTimeout: Duration
    /// Bounds of the back-off between attempts.
    package var retryMin: Duration
    package var retryMax: Duration
    /// How often the flushed end of the log is asked for while commits are unflushed.
    package var flushPoll: Duration
    /// How long a stop waits for what is still in the extent channel.
    package var drainLimit: Duration
    /// Months kept ready beyond the current one.
    package var monthsAhead: Int
    /// How often months are made ahead, closed months indexed, and old rows of `event_ids` removed.
    package var maintenanceInterval: Duration
    /// Pause between two turns of emptying the pending lists of the months' GIN indexes while `ginCleanRows` wait there;
    /// shorter when nothing is committed.
    package var ginCleanInterval: Duration
    package var ginCleanRows: Int
    /// Longest time that fewer rows wait there.
    package var ginCleanLimit: Duration
    /// How long the id of an event that came without any time is remembered.
    package var dedupWindow: Duration
    /// How old neighbouring rows of the ledger are joined into one.
    package var ledgerJoinAge: Duration
    /// Bytes of a batch that a writer holds at a time.
    package var partBytesMax: Int
    /// Which standbys a segment waits for.
    package var retainUntilReplayed = StandbyRequirement.none
    /// Whose versions each batch is folded into.
    package var packs: [PackDefinition] = []
    /// Names the sessions; the stage sets it.
    package var run = RunName(spool: UniqueID(high: 0, low: 0), startedAt: Timestamp(microseconds: 0))
    /// Lines that wait when writers beside the first join.
    package var joinRows = 4096
    /// From the start of a batch to the start of the next, after one of some rows; see `BatchPace`.
    package var batchInterval = Duration.zero
    /// The same when few lines wait, for which nobody waits.
    package var smallBatchInterval = Duration.zero
    /// Failed batches that others go on past; beyond, only these are tried.
    package var stuckBatchesMax = 16
    /// How long a batch waits for a lock.
    package var batchLockTimeout = Duration.seconds(10)
    /// Tries before an error of a trigger, a rule or a conversion is looked for in single rows.
    package var rowErrorTries = 3
    /// How much is kept of lines that the intake refused.
    package var letterBounds = LetterBounds()
    /// Written into `ingest_spools`, for the operator.
    package var host: String
    package var version: String

    /// Advisory locks are taken for this many writers when a daemon starts, so more can't be configured.
    package static let writersMax = 64

    package init(
        databaseURL: String, writers: Int, partBytesMax: Int, connectTimeout: Duration, statementTimeout: Duration,
        sessionLockTimeout: Duration, retryMin: Duration, retryMax: Duration, flushPoll: Duration,
        drainLimit: Duration, monthsAhead: Int, maintenanceInterval: Duration, ginCleanInterval: Duration,
        ginCleanRows: Int, ginCleanLimit: Duration, dedupWindow: Duration, ledgerJoinAge: Duration, host: String,
        version: String
    ) {
        self.databaseURL = databaseURL
        self.writers = writers
        self.partBytesMax = partBytesMax
        self.connectTimeout = connectTimeout
        self.statementTimeout = statementTimeout
        self.sessionLockTimeout = sessionLockTimeout
        self.retryMin = retryMin
        self.retryMax = retryMax
        self.flushPoll = flushPoll
        self.drainLimit = drainLimit
        self.monthsAhead = monthsAhead
        self.maintenanceInterval = maintenanceInterval
        self.ginCleanInterval = ginCleanInterval
        self.ginCleanRows = ginCleanRows
        self.ginCleanLimit = ginCleanLimit
        self.dedupWindow = dedupWindow
        self.ledgerJoinAge = ledgerJoinAge
        self.host = host
        self.version = version
    }
}
