import Logging
internal import MillraceThreads
import MillraceEvent
import MillracePostgres
import MillraceProjections
import MillraceTelemetry
import Synchronization

/// Looks after the tables from a connection of its own, so that no COPY pays for it: makes months ahead, forgets old
/// event ids, builds the payload indexes of closed months, joins old rows of the ledger, purges the audit log, keeps the
/// bounds of `dead_letters`, and empties the GIN indexes' pending lists.
///
/// Every daemon of a database does this. What two would do beside each other is kept apart by advisory locks: a month, an
/// index and a portion of the ledger are one daemon's at a time, and so are the pending lists, which in a flood stay with one
/// as long as that lasts. A daemon that is killed leaves nothing that the others don't do at their next turn.
///
/// Enters: nothing. Leaves: partitions, indexes. Crash: all of it is repeated. Shutdown: ends at once.
actor MaintenanceService {
    private let executor = ThreadExecutor(name: "maintenance")
    private let configuration: WriterConfiguration
    private let primary: PrimaryGuard
    private let gate: Gate
    private let cleaning: CleaningGate
    private let interrupt: PostgresInterrupt
    private let metrics: WriterMetrics
    private let logger: Logger
    private let wakeup = Wakeup()
    private let isStopping = Atomic<Bool>(false)
    private var connection: PostgresConnection?
    private var maintenanceDue = ContinuousClock.now
    private var projectionsDue = ContinuousClock.now
    private var joinDue = ContinuousClock.now
    /// Nil between two passes over the ledger.
    private var join: LedgerJoin?
    /// When a pass looks at all of the ledger again, at rows that a rebuild has made alike too.
    private var wholeJoinDue = ContinuousClock.now
    /// How often new rows of the ledger are joined, unless the maintenance is more frequent.
    private static let joinInterval = Duration.seconds(60)
    /// Transactions of joining between two looks at the rest.
    private static let joinPortionsMax = 10
    /// For the lock on a month that a vacuum may hold; shorter than PostgreSQL waits before it ends the vacuum.
    private static let summaryLockWait = Duration.milliseconds(100)
    /// How often the projections' versions are looked at.
    private static let projectionsInterval = Duration.seconds(10)
    private var pace: CleaningPace
    private var letters: LetterKeeping

    nonisolated var unownedExecutor: UnownedSerialExecutor { executor.asUnownedSerialExecutor() }

    init(
        configuration: WriterConfiguration, primary: PrimaryGuard, gate: Gate, cleaning: CleaningGate,
        interrupt: PostgresInterrupt, metrics: WriterMetrics, logger: Logger
    ) {
        self.configuration = configuration
        self.primary = primary
        self.gate = gate
        self.cleaning = cleaning
        self.interrupt = interrupt
        self.metrics = metrics
        self.logger = logger
        pace = CleaningPace(
            interval: configuration.partitions.ginCleanInterval, limit: configuration.partitions.ginCleanLimit,
            manyRows: configuration.partitions.ginCleanRows)
        letters = LetterKeeping(
            configuration: configuration.deadLetters, maintenanceInterval: configuration.partitions.maintenanceInterval,
            metrics: metrics, logger: logger)
    }

    nonisolated func stop() {
        isStopping.store(true, ordering: .relaxed)
        wakeup.signal()
    }

    func run() async {
        while !isStopping.load(ordering: .relaxed), await gate.waitUntilOpen() {
            var isOthersTurn = false
            do {
                let connection = try connected()
                if ContinuousClock.now >= maintenanceDue {
                    try maintain(connection)
                    maintenanceDue = ContinuousClock.now + configuration.partitions.maintenanceInterval
                    pace.othersMayWait()
                }
                if ContinuousClock.now >= projectionsDue {
                    metrics.record(
                        try VersionProgress.all(connection, timeout: configuration.database.statementTimeout))
                    projectionsDue = ContinuousClock.now + Self.projectionsInterval
                }
                if ContinuousClock.now >= joinDue { try joinLedger(connection) }
                try letters.run(on: connection, timeout: configuration.database.statementTimeout)
                let rows = committedRows
                if case .clean = pace.looked(rows: rows, at: .now) {
                    if try takeTurn(connection) {
                        try cleanPendingLists(connection)
                        pace.cleaned(rows: rows, at: .now)
                    } else {
                        isOthersTurn = true
                        pace.leftToOthers(at: .now)
                    }
                }
                if isCleaner, !pace.keepsTurn(at: .now) { try giveTurn(connection) }
            } catch {
                connection = nil
                isCleaner = false
                join = nil
                if error.code == .interrupted { break }
                logger.warning("maintenance failed", metadata: error.metadata)
            }
            let next = pace.looked(rows: committedRows, at: .now)
            metrics.cleaningDueSince.withLock { $0 = pace.pendingSince }
            switch next {
            case .look(after: let pause): wakeup.wait(upTo: pause)
            case .clean: if isOthersTurn { wakeup.wait(upTo: CleaningPace.lull) }
            }
        }
        connection = nil
        isCleaner = false
        executor.stop()
    }

    /// Its session has the lock on the pending lists.
    private var isCleaner: Bool {
        get { metrics.isCleaner.load(ordering: .relaxed) }
        set { metrics.isCleaner.store(newValue, ordering: .relaxed) }
    }

    private static let cleaningLock = "\(AdvisoryLock.cleaning.rawValue), 0"

    /// Returns whether this daemon is the one to empty the pending lists: false while another one does.
    private func takeTurn(_ connection: PostgresConnection) throws(PostgresError) -> Bool {
        if !isCleaner {
            isCleaner = try connection.execute("SELECT pg_try_advisory_lock(\(Self.cleaningLock))").bool(0, 0) == true
        }
        return isCleaner
    }

    private func giveTurn(_ connection: PostgresConnection) throws(PostgresError) {
        try connection.execute("SELECT pg_advisory_unlock(\(Self.cleaningLock))")
        isCleaner = false
    }

    private var committedRows: Int {
        metrics.events.committed.value + metrics.conversations.committed.value
    }

    private func connected() throws(PostgresError) -> PostgresConnection {
        if let connection, connection.isUsable { return connection }
        isCleaner = false
        let new = try primary.connect(configuration.database.url.value) { (url) throws(PostgresError) in
            try PostgresConnection(
                connectionString: url, applicationName: configuration.run.session("maintenance"),
                connectTimeout: configuration.database.connectTimeout,
                statementTimeout: configuration.database.statementTimeout, interrupt: interrupt, logger: logger)
        }
        try Migrator.requireWhole(on: new)
        // All of it is repeated should it be lost.
        try new.execute("SET synchronous_commit = local")
        connection = new
        return new
    }

    private func maintain(_ connection: PostgresConnection) throws(PostgresError) {
        let partitions = Partitions(connection: connection, options: configuration.partitionOptions)
        let now = Timestamp.now.microseconds
        for name in try partitions.ensureAhead(months: configuration.partitions.ahead, from: now) {
            logger.notice("partition made", metadata: [.partition: "\(name)"])
        }
        if let current = PartitionMonth(microseconds: now) {
            let last = current.advanced(by: configuration.partitions.ahead)
            metrics.lastMonthReady.withLock { $0 = last }
        }
        try connection.execute(
            """
            DELETE FROM public.event_ids
            WHERE seen_at < now() - interval '\(configuration.dedup.window.components.seconds) seconds'
            """, timeout: configuration.database.statementTimeout
        )
        for name in try partitions.ensurePayloadIndexes(at: now) {
            logger.notice("payload index built", metadata: [.partition: "\(name)"])
        }
        try partitions.summarizeBatches(lockWait: Self.summaryLockWait)
        let purged = try AuditLog.purge(
            olderThan: configuration.audit.keep, on: connection, timeout: configuration.database.statementTimeout)
        if purged > 0 { logger.notice("audit log purged", metadata: [.rows: "\(purged)"]) }
        let gone = try DaemonTable(connection: connection).forgetGone(
            olderThan: configuration.database.presenceKeep, timeout: configuration.database.statementTimeout)
        for spool in gone { logger.notice("daemon forgotten", metadata: [.spoolID: "\(spool)"]) }
        ProcessMemory.releaseCode()
    }

    /// Some portions; when the ledger is long, the rest follows at once.
    private func joinLedger(_ connection: PostgresConnection) throws(PostgresError) {
        let interval = min(Self.joinInterval, configuration.partitions.maintenanceInterval)
        var pass = join ?? newPass(connection, interval)
        var removed = 0
        for _ in 0..<Self.joinPortionsMax where !pass.isAtEnd {
            do throws(PostgresError) {
                removed += try pass.joinPortion()
            } catch {
                // Someone holds one of the rows; the next pass has them.
                guard error.sqlState == .lockNotAvailable else { throw error }
                join = nil
                joinDue = .now + interval
                return
            }
        }
        metrics.joinedRows.add(removed)
        join = pass.isAtEnd ? nil : pass
        if pass.isAtEnd { joinDue = .now + interval }
        if removed > 0 { logger.debug("ledger rows joined", metadata: [.rows: "\(removed)"]) }
    }

    private func newPass(_ connection: PostgresConnection, _ interval: Duration) -> LedgerJoin {
        let isWhole = ContinuousClock.now >= wholeJoinDue
        if isWhole { wholeJoinDue = .now + configuration.partitions.maintenanceInterval }
        // Behind the last pass, and the batches that took long to commit.
        let start = Timestamp.now.advanced(by: .zero - configuration.database.ledgerJoinAge - interval - .seconds(3600))
        return LedgerJoin(
            connection: connection, age: configuration.database.ledgerJoinAge, from: isWhole ? nil : start,
            timeout: configuration.database.statementTimeout)
    }

    /// Sorts the rows that the COPYs put aside into the GIN indexes.
    ///
    /// In portions: with little memory each page of a large index is visited for few keys, with much (512 MB) the sorted keys
    /// leave the processor's cache (`Benchmarks/experiments/gin-pending-lists.md`). An index build wants the server's setting
    /// again.
    private func cleanPendingLists(_ connection: PostgresConnection) throws(PostgresError) {
        cleaning.begin()
        defer { cleaning.end() }
        try connection.execute("SET maintenance_work_mem = '32MB'")
        try Partitions(connection: connection, options: configuration.partitionOptions)
            .cleanPendingLists(timeout: configuration.database.statementTimeout)
        try connection.execute("RESET maintenance_work_mem")
    }
}
