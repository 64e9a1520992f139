import MillraceEvent
import MillracePostgres
package import MillraceProjections

/// `[dedup]`: events sent twice.
package struct DedupConfiguration: Sendable, Equatable {
    /// How long the id of an event that came without any time is remembered.
    package var window = Duration.seconds(7 * 86_400)

    package init() {}
}

/// Of `[dead_letters]`: how much the table keeps of lines that the intake refused.
package struct DeadLettersConfiguration: Sendable, Equatable {
    /// How old a letter may become.
    package var retain = Duration.seconds(30 * 86_400)
    /// Letters.
    package var rowsMax = 100_000
    /// Bytes of their lines and messages.
    package var bytesMax = 64 << 20

    package init() {}
}

/// `[audit]`: who changed what.
package struct AuditConfiguration: Sendable, Equatable {
    /// How old a row of `audit_log` may become; the table itself keeps 30 days.
    package var keep = Duration.seconds(400 * 86_400)

    package init() {}
}

/// Of `[live]`: what hands committed events to who watches.
package struct FeedConfiguration: Sendable, Equatable {
    /// Committed batches that wait to be looked at; those beyond are not, and their events are counted as dropped.
    package var batchesMax = 256

    package init() {}
}

/// What the writers go by: sections of config.toml as they are, and what the daemon found at its start. One value for the
/// whole stage.
package struct WriterConfiguration: Sendable {
    package var database = DatabaseConfiguration()
    package var partitions = PartitionsConfiguration()
    package var dedup = DedupConfiguration()
    package var deadLetters = DeadLettersConfiguration()
    package var audit = AuditConfiguration()
    package var feed = FeedConfiguration()
    /// Which standbys a segment waits for.
    package var retainUntilReplayed = StandbyRequirement.none
    /// How long a settled segment is kept at least: `spool.retain`.
    package var retain = Duration.seconds(3600)
    /// Whose versions each batch is folded into.
    package var packs: [PackDefinition] = []
    /// Names the sessions; the stage sets it.
    var run = RunName(spool: UniqueID(high: 0, low: 0), startedAt: Timestamp(microseconds: 0))
    /// Written into `ingest_spools`, for the operator.
    package var host: String
    package var version: String

    /// Advisory locks are taken for this many writers when a daemon starts, so more can't be configured.
    package static let writersMax = 64

    package init(host: String, version: String) {
        self.host = host
        self.version = version
    }

    /// How months are made.
    var partitionOptions: PartitionOptions { partitions.options(lockTimeout: database.lockTimeout) }
}
