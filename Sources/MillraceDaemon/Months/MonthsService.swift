import Logging
internal import MillraceArchive
internal import MillraceThreads
import MillraceConfiguration
import MillraceEvent
import MillracePostgres
import MillraceProjections
import MillraceTelemetry
internal import MillraceWriter
import ServiceLifecycle

/// Looks after months that are over: vacuums and freezes each once, and retires those that `partitions.retain` no longer
/// keeps. Apart from the maintenance, since a month may take an hour.
///
/// Enters: nothing. Leaves: months, as `MonthLifecycle` has it.
///
/// Invariants
/// 1. Only what the policy wants is retired, and what a daemon has begun by it; a month that a command was told to retire is
///    that command's. A daemon whose policy names no age for the table leaves it to those whose does: archives are where
///    these have their directory.
/// 2. One daemon at a time looks, by an advisory lock of its session; another one takes over when it is gone.
///
/// Crash: goes on from where the month stands. Backpressure: works in `partitions.quiet_hours`; a month that is overdue for
/// three days is done at any time. Shutdown: ends at once, wherever it waits.
actor MonthsService: Service {
    /// After a month's end, for its last lines to come in.
    private static let settlingTime = Duration.seconds(3600)
    /// After which a month is done outside of the quiet hours, too: this machine may be off at that time.
    private static let patience = Duration.seconds(3 * 86_400)
    /// Pause after a failure, and where another daemon looks, unless the maintenance is more frequent.
    private static let retryPause = Duration.seconds(60)
    /// A month that waits for daemons for longer is told of.
    private static let noticeableWait = Duration.seconds(3)

    private let executor = ThreadExecutor(name: "months")
    private let configuration: DaemonConfiguration
    private let primary: PrimaryGuard
    private let missed: MonthReturn
    private let metrics: MonthsMetrics
    private let logger: Logger
    private let interrupt = PostgresInterrupt()

    nonisolated var unownedExecutor: UnownedSerialExecutor { executor.asUnownedSerialExecutor() }

    init(
        configuration: DaemonConfiguration, primary: PrimaryGuard, packs: [PackDefinition], metrics: MonthsMetrics,
        logger: Logger
    ) {
        self.configuration = configuration
        self.primary = primary
        missed = MonthReturn(packs: packs, paths: configuration.erasure.paths)
        self.metrics = metrics
        self.logger = logger
    }

    /// Until graceful shutdown or cancellation.
    nonisolated func run() async {
        await cancelWhenGracefulShutdown {
            await withTaskCancellationHandler {
                await self.look()
            } onCancel: {
                self.interrupt.raise()
            }
        }
    }

    private func look() {
        let interval = configuration.partitions.maintenanceInterval
        while !Task.isCancelled {
            var pause = interval
            do {
                // Who looks may be killed before it is done.
                if try !lookOnce() { pause = min(interval, Self.retryPause) }
            } catch {
                if (error as? PostgresError)?.code == .interrupted { break }
                pause = min(interval, Self.retryPause)
                logger.warning("months not looked after", metadata: [.error: "\(error)"])
            }
            do throws(PostgresError) { try interrupt.pause(for: pause) } catch { break }
        }
        executor.stop()
    }

    /// A session of its own, so that none is held while there is nothing to do. False: another daemon looks right now.
    private func lookOnce() throws -> Bool {
        let database = configuration.database
        let connection = try primary.connect(database.url.value) { (url) throws(PostgresError) in
            try PostgresConnection(
                connectionString: url, applicationName: "millrace months", connectTimeout: database.connectTimeout,
                statementTimeout: database.statementTimeout, interrupt: interrupt, logger: logger)
        }
        try Migrator.requireWhole(on: connection)
        let lock = "\(AdvisoryLock.retirement.rawValue), 0"
        guard try MonthTable.isThere(connection) else { return true }
        guard try connection.execute("SELECT pg_try_advisory_lock(\(lock))").bool(0, 0) == true else { return false }
        let now = Timestamp.now
        var records: [MonthKey: MonthRecord] = [:]
        for record in try MonthTable.all(connection) {
            records[MonthKey(table: record.table, month: record.month)] = record
        }
        let attached = try attachedMonths(connection)
        let due = dueMonths(attached, records, now)
        metrics.overdue.set(due.count)
        for key in due where isTime(for: retirementTime(of: key)) { try retire(key, records[key], connection) }
        for key in attached where records[key]?.closedAt == nil && !due.contains(key) {
            let end = Timestamp(microseconds: key.month.upperMicroseconds).advanced(by: Self.settlingTime)
            if end <= now, isTime(for: end) { try close(key, connection) }
        }
        return true
    }

    private struct MonthKey: Hashable {
        var table: PartitionedTable
        var month: PartitionMonth
    }

    /// Oldest first.
    private func attachedMonths(_ connection: PostgresConnection) throws(PostgresError) -> [MonthKey] {
        var keys: [MonthKey] = []
        for table in PartitionedTable.allCases {
            let months = try Partitions(connection: connection).attached(to: table)
            for (month, name) in months where name == "public.\(table.partitionName(month))" {
                keys.append(MonthKey(table: table, month: month))
            }
        }
        return keys.sorted { ($0.month, $0.table.rawValue) < ($1.month, $1.table.rawValue) }
    }

    /// What the policy no longer keeps, and what was begun by it. A month that somebody has restored stays.
    private func dueMonths(
        _ attached: [MonthKey], _ records: [MonthKey: MonthRecord], _ now: Timestamp
    ) -> [MonthKey] {
        let policy = configuration.retention
        let begun = records.filter {
            policy.ages[$0.key.table] != nil && $0.value.isAutomatic && !$0.value.isAtGoal && $0.value.state != .live
        }.keys
        let old = attached.filter { key in
            policy.isDue(key.month, of: key.table, at: now.microseconds) && (records[key]?.state ?? .live) == .live
        }
        return begun.filter { !old.contains($0) } + old
    }

    /// When a month became due; of one that was begun, long ago.
    private func retirementTime(of key: MonthKey) -> Timestamp {
        guard let age = configuration.retention.ages[key.table] else { return Timestamp(microseconds: 0) }
        return Timestamp(microseconds: key.month.upperMicroseconds).advanced(by: age)
    }

    private func isTime(for due: Timestamp) -> Bool {
        let now = Timestamp.now
        return configuration.quietHours.contains(now.microseconds) || due.advanced(by: Self.patience) <= now
    }

    /// A month that fails does not keep the others from being done.
    private func retire(_ key: MonthKey, _ before: MonthRecord?, _ connection: PostgresConnection) throws {
        var waitingSince: ContinuousClock.Instant?
        var isTold = false
        let lifecycle = MonthLifecycle(
            connection: connection, configuration: configuration.archive, options: configuration.partitionOptions,
            version: Version.current, missed: missed
        ) { [logger] progress in
            guard let detail = progress.detail, !isTold else { return }
            let since = waitingSince ?? .now
            waitingSince = since
            guard since.duration(to: .now) >= Self.noticeableWait else { return }
            isTold = true
            logger.notice(
                "month waits",
                metadata: [.partition: "\(key.table.partitionName(key.month))", .reason: "\(detail)"])
        }
        do {
            let goal = before?.isAutomatic == true && before?.state != .live ? before?.goal : nil
            let record = try lifecycle.move(
                key.month, of: key.table, to: goal ?? configuration.partitions.retirement.goal, isAutomatic: true,
                now: Timestamp.now.microseconds)
            metrics.retired.add(1)
            if record.manifestSHA256 != before?.manifestSHA256 { metrics.archivedBytes.add(record.archiveBytes ?? 0) }
            metrics.overdue.set(max(0, metrics.overdue.value - 1))
            logger.notice(
                "month retired",
                metadata: [
                    .partition: "\(record.relation)", .status: "\(record.state.rawValue)", .rows: "\(record.rows ?? 0)",
                    .path: "\(record.location ?? "")",
                ])
        } catch {
            try leave(key, error, connection, "month not retired")
        }
    }

    private func close(_ key: MonthKey, _ connection: PostgresConnection) throws {
        let lifecycle = MonthLifecycle(
            connection: connection, configuration: configuration.archive, options: configuration.partitionOptions,
            version: Version.current, missed: missed)
        do {
            guard try lifecycle.close(key.month, of: key.table) else { return }
            metrics.closed.add(1)
            logger.notice("month closed", metadata: [.partition: "\(key.table.partitionName(key.month))"])
        } catch {
            try leave(key, error, connection, "month not closed")
        }
    }

    private func leave(
        _ key: MonthKey, _ error: any Error, _ connection: PostgresConnection, _ message: Logger.Message
    ) throws {
        guard (error as? PostgresError)?.code != .interrupted else { throw error }
        metrics.failures.add(1)
        logger.warning(
            message, metadata: [.partition: "\(key.table.partitionName(key.month))", .error: "\(error)"])
        // A session that was lost may have been at the next month, too.
        guard connection.isUsable else { throw error }
    }
}

/// What the months' service counts; read by `/metrics`.
final class MonthsMetrics: Sendable {
    /// Months that are to be retired, as of the last look; 0 unless this daemon is the one that looks.
    let overdue = MetricCounter()
    let retired = MetricCounter()
    let closed = MetricCounter()
    let failures = MetricCounter()
    /// Of archives, compressed.
    let archivedBytes = MetricCounter()
}
