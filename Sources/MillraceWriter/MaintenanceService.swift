import Logging
import MillraceEvent
import MillracePostgres
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
    private let interrupt: PostgresInterrupt
    private let metrics: WriterMetrics
    private let logger: Logger
    private let wakeup = Wakeup()
    private let isStopping = Atomic<Bool>(false)
    private var connection: PostgresConnection?
    private var maintenanceDue = ContinuousClock.now

    nonisolated var unownedExecutor: UnownedSerialExecutor { executor.asUnownedSerialExecutor() }

    init(
        configuration: WriterConfiguration, partitionOptions: PartitionOptions, gate: DatabaseGate,
        interrupt: PostgresInterrupt, metrics: WriterMetrics, logger: Logger
    ) {
        self.configuration = configuration
        self.partitionOptions = partitionOptions
        self.gate = gate
        self.interrupt = interrupt
        self.metrics = metrics
        self.logger = logger
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
                try cleanPendingLists(connection)
            } catch {
                connection = nil
                if error.code == .interrupted { break }
                logger.warning("maintenance failed", metadata: error.metadata)
            }
            wakeup.wait(upTo: configuration.ginCleanInterval)
        }
        connection = nil
        executor.stop()
    }

    private func connected() throws(PostgresError) -> PostgresConnection {
        if let connection, connection.isUsable { return connection }
        let new = try PostgresConnection(
            connectionString: configuration.databaseURL, applicationName: "millrace maintenance",
            connectTimeout: configuration.connectTimeout, interrupt: interrupt, logger: logger
        )
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
    }

    /// One index a statement: each holds its pending list's lock only while it works.
    private func cleanPendingLists(_ connection: PostgresConnection) throws(PostgresError) {
        let indexes = try connection.execute(
            """
            SELECT indexes.oid::regclass::text
            FROM pg_catalog.pg_class AS indexes
            JOIN pg_catalog.pg_index AS state ON state.indexrelid = indexes.oid
            JOIN pg_catalog.pg_inherits AS link ON link.inhrelid = state.indrelid
            JOIN pg_catalog.pg_am AS method ON method.oid = indexes.relam
            JOIN pg_catalog.pg_stat_user_tables AS activity ON activity.relid = state.indrelid
            WHERE link.inhparent IN ('public.analytics_events'::regclass, 'public.conversations'::regclass)
                AND method.amname = 'gin' AND state.indisvalid AND activity.n_ins_since_vacuum > 0
            """, timeout: configuration.statementTimeout
        )
        for index in (0..<indexes.rowCount).compactMap({ indexes.string($0, 0) }) {
            try connection.query(
                "SELECT gin_clean_pending_list(to_regclass($1))", parameters: [.text(index)],
                timeout: configuration.statementTimeout
            )
        }
    }
}
