import Logging
import MillraceEvent
import MillracePostgres
import MillraceProjections
import MillraceTelemetry
import Synchronization

/// Looks after the tables from a connection of its own, so that no COPY pays for it: makes months ahead, forgets old
/// event ids, builds the payload indexes of closed months, and empties the GIN indexes' pending lists.
///
/// Enters: nothing. Leaves: partitions, indexes. Crash: all of it is repeated. Shutdown: ends at once.
actor MaintenanceService {
    private let executor = ThreadExecutor(name: "maintenance")
    private let configuration: WriterConfiguration
    private let partitionOptions: PartitionOptions
    private let gate: DatabaseGate
    private let cleaning: CleaningGate
    private let interrupt: PostgresInterrupt
    private let metrics: WriterMetrics
    private let logger: Logger
    private let wakeup = Wakeup()
    private let isStopping = Atomic<Bool>(false)
    private var connection: PostgresConnection?
    private var maintenanceDue = ContinuousClock.now
    private var projectionsDue = ContinuousClock.now
    /// How often the projections' versions are looked at.
    private static let projectionsInterval = Duration.seconds(10)
    private var pace: CleaningPace

    nonisolated var unownedExecutor: UnownedSerialExecutor { executor.asUnownedSerialExecutor() }

    init(
        configuration: WriterConfiguration, partitionOptions: PartitionOptions, gate: DatabaseGate,
        cleaning: CleaningGate, interrupt: PostgresInterrupt, metrics: WriterMetrics, logger: Logger
    ) {
        self.configuration = configuration
        self.partitionOptions = partitionOptions
        self.gate = gate
        self.cleaning = cleaning
        self.interrupt = interrupt
        self.metrics = metrics
        self.logger = logger
        pace = CleaningPace(
            interval: configuration.ginCleanInterval, limit: configuration.ginCleanLimit,
            manyRows: configuration.ginCleanRows)
    }

    nonisolated func stop() {
        isStopping.store(true, ordering: .relaxed)
        wakeup.signal()
    }

    func run() async {
        while !isStopping.load(ordering: .relaxed), await gate.waitUntilOpen() {
            do {
                let connection = try connected()
                if ContinuousClock.now >= maintenanceDue {
                    try maintain(connection)
                    maintenanceDue = ContinuousClock.now + configuration.maintenanceInterval
                }
                if ContinuousClock.now >= projectionsDue {
                    metrics.record(try VersionProgress.all(connection, timeout: configuration.statementTimeout))
                    projectionsDue = ContinuousClock.now + Self.projectionsInterval
                }
                let rows = committedRows
                if case .clean = pace.looked(rows: rows, at: .now) {
                    try cleanPendingLists(connection)
                    pace.cleaned(rows: rows, at: .now)
                }
            } catch {
                connection = nil
                if error.code == .interrupted { break }
                logger.warning("maintenance failed", metadata: error.metadata)
            }
            if case .look(after: let pause) = pace.looked(rows: committedRows, at: .now) { wakeup.wait(upTo: pause) }
        }
        connection = nil
        executor.stop()
    }

    private var committedRows: Int {
        metrics.events.committed.load(ordering: .relaxed) + metrics.conversations.committed.load(ordering: .relaxed)
    }

    private func connected() throws(PostgresError) -> PostgresConnection {
        if let connection, connection.isUsable { return connection }
        let new = try PostgresConnection(
            connectionString: configuration.databaseURL, applicationName: configuration.run.session("maintenance"),
            connectTimeout: configuration.connectTimeout, statementTimeout: configuration.statementTimeout,
            interrupt: interrupt, logger: logger
        )
        // All of it is repeated should it be lost.
        try new.execute("SET synchronous_commit = local")
        connection = new
        return new
    }

    private func maintain(_ connection: PostgresConnection) throws(PostgresError) {
        let partitions = Partitions(connection: connection, options: partitionOptions)
        let now = Timestamp.now.microseconds
        for name in try partitions.ensureAhead(months: configuration.monthsAhead, from: now) {
            logger.notice("partition made", metadata: ["partition": "\(name)"])
        }
        metrics.monthsAhead.store(configuration.monthsAhead, ordering: .relaxed)
        try connection.execute(
            """
            DELETE FROM public.event_ids
            WHERE seen_at < now() - interval '\(configuration.dedupWindow.components.seconds) seconds'
            """, timeout: configuration.statementTimeout
        )
        for name in try partitions.ensurePayloadIndexes(at: now) {
            logger.notice("payload index built", metadata: ["partition": "\(name)"])
        }
        ProcessMemory.releaseCode()
    }

    /// Sorts the rows that the COPYs put aside into the GIN indexes.
    ///
    /// In portions: with little memory each page of a large index is visited for few keys, with much (512 MB) the sorted keys
    /// leave the processor's cache. CONTRIBUTING.md has figures. An index build wants the server's setting again.
    private func cleanPendingLists(_ connection: PostgresConnection) throws(PostgresError) {
        cleaning.begin()
        defer { cleaning.end() }
        try connection.execute("SET maintenance_work_mem = '32MB'")
        try Partitions(connection: connection, options: partitionOptions)
            .cleanPendingLists(timeout: configuration.statementTimeout)
        try connection.execute("RESET maintenance_work_mem")
    }
}
