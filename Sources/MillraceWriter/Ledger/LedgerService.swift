import Logging
import MillraceEvent
import MillracePostgres
import Synchronization

/// Keeps the ledger's truth: one session beside the writers that probes, reads the ledger, and watches the log's flush.
///
/// Enters: commits (through `Ledger`). Leaves: settled sequences to the spool's retention; ranges to scan to the
/// backlog; the gate, open while PostgreSQL takes batches.
///
/// Invariants
/// 1. No writer begins before every backend of an earlier daemon of this spool is gone and the ledger has been read.
/// 2. A sequence is settled only when the ledger holds it and the log is flushed beyond its commit.
/// 3. After any change of the server (restart, failover) the ledger is read again before the gate opens.
/// 4. One session a spool id: the session's advisory lock.
///
/// Crash: nothing here lives but in the ledger. Backpressure: none. Shutdown: ends after the writers.
actor LedgerService {
    private let executor = ThreadExecutor(name: "ledger")
    private let configuration: WriterConfiguration
    private let ledger: Ledger
    private let gate: DatabaseGate
    private let spool: any SpoolReader
    private let extents: ExtentChannel
    private let interrupt: PostgresInterrupt
    private let metrics: WriterMetrics
    private let settled: @Sendable ([Range<UInt64>]) -> Void
    private let logger: Logger
    private let scans = AsyncStream.makeStream(of: [Range<UInt64>].self)
    private var session: (connection: PostgresConnection, server: ServerIdentity)?
    /// What was last said about a database that is away, and when: once a change, and once in a while.
    private var lastReport: (error: PostgresError, instant: ContinuousClock.Instant)?
    private static let reportInterval = Duration.seconds(60)
    /// Pause between two wakings of PostgreSQL's WAL writer.
    private static let walInterval = Duration.milliseconds(30)

    nonisolated var unownedExecutor: UnownedSerialExecutor { executor.asUnownedSerialExecutor() }

    /// `settled`: told which sequences may be retired; called on this service's thread.
    init(
        configuration: WriterConfiguration, ledger: Ledger, gate: DatabaseGate,
        spool: any SpoolReader, extents: ExtentChannel, interrupt: PostgresInterrupt, metrics: WriterMetrics,
        logger: Logger, settled: @escaping @Sendable ([Range<UInt64>]) -> Void
    ) {
        self.configuration = configuration
        self.ledger = ledger
        self.gate = gate
        self.spool = spool
        self.extents = extents
        self.interrupt = interrupt
        self.metrics = metrics
        self.settled = settled
        self.logger = logger
    }

    func run() async throws {
        defer {
            session = nil
            executor.stop()
        }
        try await withThrowingTaskGroup { group in
            group.addTask { await self.scanBacklog() }
            do {
                try await watch()
            } catch {
                // A scan that waits for room would keep this stage, and so the daemon, from ending.
                extents.finish()
                throw error
            }
            scans.continuation.finish()
            group.cancelAll()
        }
    }

    /// Off this service's thread: a scan waits for the disk and for room in the channel.
    private nonisolated func scanBacklog() async {
        for await ranges in scans.stream {
            let lost = await spool.scan(ranges, into: extents)
            ledger.report(lost: lost)
        }
    }

    private func watch() async throws {
        var backoff = Backoff(min: configuration.retryMin, max: configuration.retryMax)
        var sessions = SessionWatch(run: configuration.run, spool: spool.spoolID, logger: logger)
        while !ledger.isStopping {
            do {
                let (connection, server) = try connected()
                try performActions(connection, server)
                try recordLost(connection, server)
                try recordBurnt(connection, server)
                gate.open()
                backoff.reset()
                try pollFlush(connection, server)
                try sessions.look(on: connection, metrics)
                ledger.wakeup.wait(upTo: pause)
            } catch let error as SpoolInUse {
                throw error
            } catch let error as PostgresError {
                gate.close()
                session = nil
                guard error.code != .interrupted else { return }
                report(error)
                ledger.wakeup.wait(upTo: error.category == .stop ? configuration.retryMax : backoff.next())
            }
        }
    }

    /// Asks often while commits wait for their flush, and else once in a while whether the server is still there.
    private var pause: Duration {
        if extents.isHelpWanted { return min(configuration.flushPoll, Self.walInterval) }
        return ledger.unflushedEnd == nil ? max(configuration.flushPoll, .seconds(1)) : configuration.flushPoll
    }

    private func connected() throws -> (PostgresConnection, ServerIdentity) {
        if let session, session.connection.isUsable, gate.isOpen { return session }
        session = nil
        let connection = try PostgresConnection(
            connectionString: configuration.databaseURL, applicationName: configuration.run.session("ledger"),
            connectTimeout: configuration.connectTimeout, statementTimeout: configuration.statementTimeout,
            interrupt: interrupt, logger: logger
        )
        // What this session writes is written again should it be lost, so that no standby that is away holds it up.
        try connection.execute("SET synchronous_commit = local")
        try connection.requireUTF8()
        try lockSession(connection)
        let server = try connection.serverIdentity()
        session = (connection, server)
        ledger.apply { $0.connected(to: server) }
        lastReport = nil
        metrics.writing.apply(.databaseReached)
        logger.notice("database connected", metadata: ["server_start": "\(server.startTime)"])
        return (connection, server)
    }

    /// Makes `connection` the spool's one session, when no session of an earlier daemon is left.
    private func lockSession(_ connection: PostgresConnection) throws {
        var session = SpoolSession(
            connection: connection, spool: spool.spoolID, configuration: configuration, run: configuration.run,
            logger: logger)
        try session.take { duration in
            ledger.wakeup.wait(upTo: duration)
            if ledger.isStopping { throw PostgresError(code: .interrupted, message: "stopping") }
        }
        try connection.query(
            """
            INSERT INTO public.ingest_spools AS s (spool_id, host, version)
            VALUES ($1, $2, $3)
            ON CONFLICT (spool_id) DO UPDATE
            SET host = EXCLUDED.host, version = EXCLUDED.version, last_started_at = EXCLUDED.last_started_at
            """,
            parameters: [.text("\(spool.spoolID)"), .text(configuration.host), .text(configuration.version)]
        )
    }

    private func performActions(_ connection: PostgresConnection, _ server: ServerIdentity) throws {
        var actions = ledger.takeActions()
        while !actions.isEmpty {
            let action = actions.removeFirst()
            do {
                switch action {
                case .readLedger: try readLedger(connection, server)
                case .scan(let ranges):
                    logger.notice("backlog queued", metadata: ["lines": "\(ranges.reduce(0) { $0 + $1.count })"])
                    scans.continuation.yield(ranges)
                case .settled(let ranges): settled(ranges)
                }
            } catch {
                for rest in actions.reversed() { ledger.putBack(rest) }
                ledger.putBack(action)
                throw error
            }
            if actions.isEmpty { actions = ledger.takeActions() }
        }
    }

    private func readLedger(_ connection: PostgresConnection, _ server: ServerIdentity) throws {
        let retained = spool.retainedSequences
        let rows = try connection.execute(
            LedgerRows.query(spool: spool.spoolID, from: retained.lowerBound), timeout: configuration.statementTimeout
        )
        let ranges = LedgerRows.ranges(rows)
        let end = try connection.execute("SELECT pg_current_wal_insert_lsn()")
        guard let position = end.string(0, 0).flatMap(LogPosition.init) else { return }
        ledger.apply { $0.ledgerRead(ranges, retained: retained, at: position, on: server) }
    }

    /// In a flood, also commits an empty transaction, asynchronously as all that write nothing: that wakes the WAL writer,
    /// which else sleeps 200 ms, while large batches fill the log's buffers and then write them out themselves.
    private func pollFlush(_ connection: PostgresConnection, _ server: ServerIdentity) throws {
        let waking = extents.isHelpWanted ? "SELECT pg_current_xact_id();" : ""
        let answer = try connection.execute(
            "\(waking) SELECT pg_current_wal_flush_lsn()", timeout: configuration.statementTimeout)
        guard let position = answer.string(0, 0).flatMap(LogPosition.init) else { return }
        ledger.apply {
            $0.retired(below: spool.retainedSequences.lowerBound) + $0.flushed(to: position, on: server)
        }
        try performActions(connection, server)
    }

    /// Sequences that can't be read back are settled as dead, so that they are accounted for and never looked for again.
    private func recordLost(_ connection: PostgresConnection, _ server: ServerIdentity) throws {
        let lost = ledger.takeLost()
        for (index, stretch) in lost.enumerated() {
            do {
                logger.error(
                    "acknowledged lines lost",
                    metadata: ["lines": "\(stretch.sequences.count)", "reason": "\(stretch.reason)"]
                )
                let position = try LostBatch.write(stretch, spool: spool.spoolID, on: connection)
                metrics.events.dead.add(stretch.sequences.count, ordering: .relaxed)
                ledger.apply { $0.batchCommitted(stretch.sequences, at: position, on: server) }
            } catch {
                ledger.putBack(lost: Array(lost[index...]))
                throw error
            }
        }
    }

    /// Sequences that no line has stand in the ledger too, so that every hole in it is a line that is missing.
    private func recordBurnt(_ connection: PostgresConnection, _ server: ServerIdentity) throws {
        for range in ledger.missing(spool.burntSequences) {
            let position = try LostBatch.write(skipped: range, spool: spool.spoolID, on: connection)
            ledger.apply { $0.batchCommitted(range, at: position, on: server) }
        }
    }

    private func report(_ error: PostgresError) {
        metrics.isDatabaseUp.store(false, ordering: .relaxed)
        metrics.writing.apply(.databaseUnreachable(WritingFault(error)))
        if let lastReport, lastReport.error == error, lastReport.instant.duration(to: .now) < Self.reportInterval {
            return
        }
        lastReport = (error, .now)
        switch error.category {
        case .stop: logger.error("database refuses the daemon", metadata: error.metadata)
        default: logger.warning("database not reached", metadata: error.metadata)
        }
    }
}
