import MillraceAPI
import MillraceAccess
import MillraceBackup
import MillraceChannels
import MillraceConfiguration
import MillraceEvent
import MillraceIntake
import MillracePostgres
import MillraceSpool
import MillraceTelemetry
import MillraceWriter

/// What the stages are joined by: their channels, the memory that they share, and what they count.
struct Pipeline {
    let channel: RecordChannel
    let extents: ExtentChannel
    let board = CommitBoard()
    let memory: MemoryBudget
    /// The keys in force, for every listener and route.
    let keys: KeyRing
    /// Who is let in by these keys, and how much of whom.
    let access: IntakeAccess
    /// Logins to the page.
    let sessions = PageSessions()
    let metrics: DaemonMetrics
    /// Opens the connections that write.
    let primary: PrimaryGuard

    /// `packs`: names of those that are folded. `wantsKeys`: before any is known. `log`: whose dropped lines are counted.
    init(
        _ configuration: DaemonConfiguration, primary: PrimaryGuard, packs: [String], wantsKeys: Bool, log: LogWriter
    ) {
        self.primary = primary
        let database = configuration.database
        channel = RecordChannel(bytesMax: configuration.spool.queueBytes)
        extents = ExtentChannel(rowsMax: database.batchRows, bytesMax: database.batchBytes)
        memory = MemoryBudget(configuration.memory)
        keys = KeyRing(isRequired: wantsKeys)
        access = IntakeAccess(
            keyRing: keys, limits: Live(configuration.accessLimits), auth: Live(configuration.auth))
        metrics = DaemonMetrics(
            channel: channel, extents: extents, spoolDirectory: configuration.spool.directory,
            stallAfter: database.stallAfter, tenantsMax: configuration.metrics.tenantsMax, log: log)
        metrics.bootstrap()
        metrics.observeMemory(memory)
        metrics.observeRetention(configuration.spool.retain)
        metrics.observeKeys(keys)
        metrics.observeBackups(BackupWatch(configuration.resolvedBackup))
        metrics.observeProjections(packs)
    }
}
