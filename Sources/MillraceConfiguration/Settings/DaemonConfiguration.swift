internal import FoundationEssentials
package import MillraceAPI
package import MillraceAccess
package import MillraceArchive
package import MillraceBackup
package import MillraceChannels
package import MillraceEvent
package import MillraceIntake
package import MillracePostgres
package import MillraceProjections
package import MillraceSpool
package import MillraceTelemetry
package import MillraceTreatment
package import MillraceWriter

/// Everything the daemon can be told, checked and in its own types.
///
/// Each key of config.toml is one property of the same name, in a struct of the stage that goes by it; where two stages
/// go by keys of one section, each has a struct of its own. A property's initial value is the only place of its default;
/// what it means, its unit and range are in `ConfigurationSchema`. A stage gets its structs as they are here.
package struct DaemonConfiguration: Sendable, Equatable {
    package var data = Data()
    package var tcp = TCPConfiguration()
    package var http = HTTPConfiguration()
    /// Of `[http]` and `[latency]`.
    package var routes = RoutesConfiguration()
    package var intake = IntakeConfiguration()
    package var tls = ListenerTLSConfiguration()
    package var memory = MemoryConfiguration()
    package var limits = LimitsConfiguration()
    /// Of `[limits]`.
    package var accessLimits = AccessLimits()
    package var fields = FieldsConfiguration()
    package var rules = RulesConfiguration()
    package var deadLetters = DeadLettersConfiguration()
    /// Of `[dead_letters]`.
    package var refusals = RefusalsConfiguration()
    package var spool = SpoolConfiguration()
    package var database = DatabaseConfiguration()
    package var partitions = PartitionsConfiguration()
    package var archive = ArchiveConfiguration()
    package var projections = ProjectionsConfiguration()
    package var dedup = DedupConfiguration()
    package var audit = AuditConfiguration()
    package var outbox = Outbox()
    package var erasure = ErasureConfiguration()
    package var api = APIConfiguration()
    /// `[live]`, but for what the writers' feed goes by.
    package var streams = StreamsConfiguration()
    package var feed = FeedConfiguration()
    package var page = PageConfiguration()
    package var identity = IdentityConfiguration()
    package var auth = AuthConfiguration()
    package var jwt = JWTConfiguration()
    package var log = LogConfiguration()
    package var latency = LatencyConfiguration()
    package var metrics = MetricsConfiguration()
    package var embedded = Embedded()
    package var backup = BackupConfiguration()

    package init() {}

    /// `[data]`.
    package struct Data: Sendable, Equatable {
        /// Holds the spool, and the database of `serve --embedded`.
        package var directory = "/var/lib/millrace"
    }

    /// `[outbox]`.
    package struct Outbox: Sendable, Equatable {
        /// Time from one look at an empty outbox to the next; also how often another daemon's lock is tried.
        package var poll = Duration.milliseconds(250)
        /// Rows taken at a time.
        package var batchRows = 1000
    }

    /// `[embedded]`: the private PostgreSQL of `serve --embedded`.
    package struct Embedded: Sendable, Equatable {
        /// Bytes.
        package var sharedBuffers = 256 << 20
        package var startTimeout = Duration.seconds(60)
        package var stopTimeout = Duration.seconds(30)
    }
}

// MARK: - What follows from several keys

extension DaemonConfiguration {
    /// With what is derived from other keys in its place, as the stages want it.
    package var resolved: DaemonConfiguration {
        var resolved = self
        resolved.spool.directory = spoolDirectory
        resolved.database.ledgerJoinAge = ledgerJoinAge
        resolved.latency.log = latencyLogPath
        resolved.archive = resolvedArchive
        resolved.backup.directory = backupDirectory
        return resolved
    }

    /// `spool.directory`, or its place under `data.directory`.
    package var spoolDirectory: String {
        spool.directory.isEmpty ? data.directory + "/spool" : spool.directory
    }

    /// `[archive]` with the directory in its place.
    package var resolvedArchive: ArchiveConfiguration {
        var resolved = archive
        if archive.directory.isEmpty { resolved.directory = data.directory + "/archive" }
        return resolved
    }

    /// `partitions.retain`; nothing is retired where it can't be read, which a check of the configuration refuses.
    package var retention: RetentionPolicy { RetentionText.parse(partitions.retain) ?? RetentionPolicy() }

    /// `partitions.quiet_hours`.
    package var quietHours: QuietHours { QuietHours(partitions.quietHours) ?? QuietHours() }

    /// `database.ledger_join_age`, or what it is derived as: longer than lines are kept for a failover.
    package var ledgerJoinAge: Duration {
        database.ledgerJoinAge == .zero ? spool.retain + .seconds(3600) : database.ledgerJoinAge
    }

    /// `latency.log`, or its place under `data.directory`; empty when there is to be none.
    private var latencyLogPath: String {
        latency.log.isEmpty || latency.log.hasPrefix("/") ? latency.log : data.directory + "/" + latency.log
    }

    /// `backup.directory`, or its place under `data.directory`; absolute.
    package var backupDirectory: String {
        let path = backup.directory.isEmpty ? data.directory + "/backups" : backup.directory
        return path.hasPrefix("/") ? path : FileManager.default.currentDirectoryPath + "/" + path
    }

    /// `[backup]` with `directory` in its place.
    package var resolvedBackup: BackupConfiguration {
        var resolved = backup
        resolved.directory = backupDirectory
        return resolved
    }

    /// The private PostgreSQL of `serve --embedded`, whether there is one or not.
    package var embeddedCluster: EmbeddedCluster {
        let backup = resolvedBackup
        return EmbeddedCluster(
            directory: data.directory,
            settings: EmbeddedClusterSettings(
                sharedBuffersMiB: embedded.sharedBuffers >> 20,
                sessions: writingSessionsMax + api.connectionsMax + (api.readURL.isEmpty ? 0 : 1),
                archive: backup.wal
                    ? WALArchive(directory: backup.walDirectory, timeout: backup.walTimeout) : nil))
    }

    /// Sessions of PostgreSQL that write: the writers, the ledger, maintenance, the months', the outbox, the keys' one, that
    /// of erasures, and checkouts.
    package var writingSessionsMax: Int { database.writers + 6 + checkoutSessionsMax }

    /// Sessions of PostgreSQL for checkouts.
    package var checkoutSessionsMax: Int { projections.packs.contains("commerce") ? api.checkoutsMax : 0 }

    /// Sessions of PostgreSQL to read, on all servers together: with replicas each has one to be looked at.
    package var readingSessionsMax: Int {
        let servers = 1 + api.readURL.count
        return servers * api.connectionsMax + (servers > 1 ? servers : 0)
    }

    /// Sessions of PostgreSQL to look users up.
    package static var userSessionsMax: Int { IdentityConfiguration.connectionsMax }

    /// What an event may be.
    package var eventLimits: EventLimits {
        EventLimits(
            payloadBytes: limits.payloadBytes, payloadTextBytes: limits.payloadTextBytes, depth: limits.depth,
            acceptPast: partitions.acceptPast, acceptFuture: partitions.acceptFuture)
    }

    /// How months are made.
    package var partitionOptions: PartitionOptions { partitions.options(lockTimeout: database.lockTimeout) }
}
