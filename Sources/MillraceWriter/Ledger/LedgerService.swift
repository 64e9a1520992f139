import Glibc
import Logging
internal import MillraceChannels
internal import MillraceThreads
import MillraceEvent
import MillracePostgres
import MillraceTelemetry
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
    private let settings: Live<WriterConfiguration>
    /// Of the start.
    private let configuration: WriterConfiguration
    private let primary: PrimaryGuard
    private let ledger: Ledger
    private let gate: Gate
    private let spool: any SpoolReader
    private let extents: ExtentChannel
    private let scheduler: BatchScheduler
    private let interrupt: PostgresInterrupt
    private let metrics: WriterMetrics
    private let logger: Logger
    /// To be found in the spool; what several requests want is joined, so that it is bounded by the holes of the ledger.
    private nonisolated let wanted = Mutex(SequenceSet())
    /// Says that something is wanted.
    private nonisolated let scans = AsyncStream.makeStream(of: Void.self, bufferingPolicy: .bufferingNewest(1))
    private var session: (connection: PostgresConnection, server: ServerIdentity)?
    /// What was last said about a database that is away, and when: once a change, and once in a while.
    private var lastReport: (error: PostgresError, instant: ContinuousClock.Instant)?
    private static let reportInterval = Duration.seconds(60)
    /// Pause between two wakings of PostgreSQL's WAL writer.
    private static let walInterval = Duration.milliseconds(30)
    /// When the ledger was last asked whether it still holds what is known to be committed.
    private var lastProbe: ContinuousClock.Instant?
    private static let probeInterval = Duration.seconds(1)
    private static let leftoversWaitMax = Duration.seconds(90)
    private var lastStandbyReport: ContinuousClock.Instant?
    private let facts: DaemonFacts
    private var presence: DaemonPresence
    /// The end of the daemon was told.
    private var hasLeft = false
    /// No pooler in transaction mode was found between this daemon and its database.
    private var hasSessions = false

    nonisolated var unownedExecutor: UnownedSerialExecutor { executor.asUnownedSerialExecutor() }

    init(
        settings: Live<WriterConfiguration>, primary: PrimaryGuard, ledger: Ledger, gate: Gate,
        spool: any SpoolReader, extents: ExtentChannel, scheduler: BatchScheduler, interrupt: PostgresInterrupt,
        metrics: WriterMetrics, facts: DaemonFacts,
        logger: Logger
    ) {
        self.facts = facts
        self.primary = primary
        presence = DaemonPresence(logger: logger)
        self.settings = settings
        configuration = settings.value
        self.ledger = ledger
        self.gate = gate
        self.spool = spool
        self.extents = extents
        self.scheduler = scheduler
        self.interrupt = interrupt
        self.metrics = metrics
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
                scheduler.finish()
                throw error
            }
            scans.continuation.finish()
            group.cancelAll()
        }
    }

    /// Off this service's thread: a scan waits for the disk and for room in the channel.
    private nonisolated func scanBacklog() async {
        for await _ in scans.stream {
            let ranges = wanted.withLock { wanted in
                defer { wanted = SequenceSet() }
                return wanted.ranges
            }
            guard !ranges.isEmpty else { continue }
            ledger.report(lost: await spool.scan(ranges, into: extents))
        }
    }

    private func watch() async throws {
        var backoff = Backoff(min: configuration.database.retryMin, max: configuration.database.retryMax)
        var sessions = SessionWatch(run: configuration.run, spool: spool.spoolID, logger: logger)
        var standbys = StandbyWatch(logger: logger)
        while !ledger.isStopping {
            if let conflict = ledger.conflict { throw conflict }
            do {
                let (connection, server) = try connected()
                try performActions(connection, server)
                try recordLost(connection, server)
                try recordBurnt(connection, server)
                // Who asks all daemons for something asks those that are known: this one, before its first batch.
                if !gate.isOpen { try tellPresence(on: connection) }
                gate.open()
                backoff.reset()
                try pollFlush(connection, server)
                try sessions.look(on: connection, metrics)
                try standbys.look(on: connection, metrics, settings.value)
                try tellPresence(on: connection)
                ledger.wakeup.wait(upTo: pause)
            } catch let error as SpoolInUse {
                throw error
            } catch let error as PostgresError {
                gate.close()
                session = nil
                spool.tell(.serverLost)
                guard error.code != .interrupted else { return }
                report(error)
                ledger.wakeup.wait(upTo: error.category == .stop ? configuration.database.retryMax : backoff.next())
            }
        }
    }

    /// Asks often while commits wait for their flush, and else once in a while whether the server is still there.
    private var pause: Duration {
        let flushPoll = settings.value.database.flushPoll
        if scheduler.isHelpWanted { return min(flushPoll, Self.walInterval) }
        return ledger.unflushedEnd == nil ? max(flushPoll, .seconds(1)) : flushPoll
    }

    private func connected() throws -> (PostgresConnection, ServerIdentity) {
        if let session, session.connection.isUsable, gate.isOpen { return session }
        session = nil
        let connection = try open(as: "ledger")
        if !hasSessions {
            try SessionPooling.requireSessions(on: connection) { () throws(PostgresError) in try open(as: "probe") }
            hasSessions = true
        }
        // What this session writes is written again should it be lost, so that no standby that is away holds it up.
        try connection.execute("SET synchronous_commit = local")
        try connection.requireUTF8()
        try Migrator.requireCurrent(on: connection)
        try lockSession(connection)
        try endLeftovers(on: connection)
        let server = try connection.serverIdentity()
        session = (connection, server)
        ledger.apply { $0.connected(to: server) }
        lastReport = nil
        presence.forgetTold()
        metrics.writing.apply(.databaseReached)
        logger.notice(
            "database connected",
            metadata: [.serverStart: "\(server.startTime)", .databaseID: "\(server.databaseID ?? "unknown")"])
        return (connection, server)
    }

    /// With Citus: batches that put in the same rows would wait for what a COMMIT left prepared on workers.
    private func endLeftovers(on connection: PostgresConnection) throws(PostgresError) {
        guard let left = try TwoPhaseLeftovers(connection)?.wait(upTo: Self.leftoversWaitMax), left > 0 else { return }
        logger.warning(
            "workers hold prepared transactions",
            metadata: [
                .count: "\(left)",
                .hint: "SELECT recover_prepared_transactions() on the coordinator, as a superuser, ends them",
            ])
    }

    private func open(as part: String) throws(PostgresError) -> PostgresConnection {
        try primary.connect(configuration.database.url.value) { (url) throws(PostgresError) in
            try PostgresConnection(
                connectionString: url, applicationName: configuration.run.session(part),
                connectTimeout: configuration.database.connectTimeout,
                statementTimeout: configuration.database.statementTimeout, interrupt: interrupt, logger: logger)
        }
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
        try registerRuns(connection)
    }

    /// Names where the runs begin whose lines this database may get, so that `verify` knows which holes are lines.
    private func registerRuns(_ connection: PostgresConnection) throws(PostgresError) {
        let starts = spool.runStarts
        try connection.query(
            """
            INSERT INTO public.ingest_runs (spool_id, first_seq, host, version, started_at)
            SELECT $1::uuid, first_seq, $2::text, $3::text, CASE WHEN first_seq = $5::bigint THEN now() END
            FROM unnest($4::bigint[]) AS first_seq
            ON CONFLICT (spool_id, first_seq) DO NOTHING
            """,
            parameters: [
                .text("\(spool.spoolID)"), .text(configuration.host), .text(configuration.version),
                .text("{\(starts.map(String.init).joined(separator: ","))}"), .integer(starts.last ?? 0),
            ])
    }

    private func performActions(_ connection: PostgresConnection, _ server: ServerIdentity) throws {
        var actions = ledger.takeActions()
        while !actions.isEmpty {
            let action = actions.removeFirst()
            do {
                switch action {
                case .readLedger: try readLedger(connection, server)
                case .scan(let ranges):
                    logger.notice("backlog queued", metadata: [.lines: "\(ranges.reduce(0) { $0 + $1.count })"])
                    wanted.withLock { wanted in for range in ranges { wanted.insert(range) } }
                    scans.continuation.yield()
                case .settled(let ranges): spool.tell(.settled(ranges))
                case .unsettled(let ranges): spool.tell(.unsettled(ranges))
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
        ledger.apply { machine in
            machine.ledgerReadBegan()
            return []
        }
        let retained = spool.retainedSequences
        let rows = try connection.execute(
            LedgerRows.query(spool: spool.spoolID, from: oldestSequence),
            timeout: configuration.database.statementTimeout
        )
        let ranges = LedgerRows.ranges(rows)
        let end = try connection.execute("SELECT pg_current_wal_insert_lsn()")
        guard let position = end.string(0, 0).flatMap(LogPosition.init) else { return }
        ledger.apply { $0.ledgerRead(ranges, retained: retained, at: position, on: server) }
    }

    /// The oldest sequence that the spool may want to know settled.
    private var oldestSequence: UInt64 {
        let first = (spool.retainedSequences.ranges + spool.burntSequences).map(\.lowerBound).min()
        return first ?? spool.runStarts.last ?? 0
    }

    /// In a flood, also commits an empty transaction, asynchronously as all that write nothing: that wakes the WAL writer,
    /// which else sleeps 200 ms, while large batches fill the log's buffers and then write them out themselves.
    private func pollFlush(_ connection: PostgresConnection, _ server: ServerIdentity) throws {
        let waking = scheduler.isHelpWanted ? "SELECT pg_current_xact_id();" : ""
        let answer = try connection.execute(
            "\(waking) SELECT pg_current_wal_flush_lsn()", timeout: configuration.database.statementTimeout)
        guard let flushed = answer.string(0, 0).flatMap(LogPosition.init) else { return }
        try probe(connection)
        let oldest = oldestSequence
        let position = try replayed(connection).map { min($0, flushed) }
        ledger.apply { machine in
            machine.retired(below: oldest) + (position.map { machine.flushed(to: $0, on: server) } ?? [])
        }
        try performActions(connection, server)
        spool.tell(.serverSeen(at: .now))
    }

    /// Looks whether the ledger went backwards on this server: truncated, or restored in place.
    private func probe(_ connection: PostgresConnection) throws(PostgresError) {
        let now = ContinuousClock.now
        if let lastProbe, lastProbe.duration(to: now) < Self.probeInterval { return }
        lastProbe = now
        let probes = ledger.probes()
        guard !probes.isEmpty else { return }
        let answer = try connection.execute(
            LedgerRows.query(spool: spool.spoolID, lacking: probes), timeout: configuration.database.statementTimeout)
        guard answer.rowCount > 0 else { return }
        logger.error(
            "ledger lacks committed batches",
            metadata: [.hint: "it was truncated or restored; what the spool still holds is written again"])
        ledger.apply { $0.ledgerLacked() }
    }

    /// How far the standbys are that segments wait for; nil when one of them can't be asked.
    private func replayed(_ connection: PostgresConnection) throws(PostgresError) -> LogPosition? {
        guard configuration.retainUntilReplayed != .none else { return LogPosition(bytes: .max) }
        let answer = try connection.execute(StandbyRequirement.query, timeout: configuration.database.statementTimeout)
        let standbys = (0..<answer.rowCount).map { row in
            StandbyRequirement.Standby(
                name: answer.string(row, 0), replayed: answer.string(row, 1).flatMap(LogPosition.init))
        }
        switch configuration.retainUntilReplayed.standing(of: standbys) {
        case .replayed(let position):
            metrics.isRetentionBlocked.store(false, ordering: .relaxed)
            return position
        case .blocked(let reason):
            metrics.isRetentionBlocked.store(true, ordering: .relaxed)
            let now = ContinuousClock.now
            if lastStandbyReport.map({ $0.duration(to: now) >= Self.reportInterval }) ?? true {
                lastStandbyReport = now
                logger.warning("spool keeps all segments", metadata: [.reason: "\(reason)"])
            }
            return nil
        }
    }

    /// Sequences that can't be read back are entered as dead, so that they are accounted for and never looked for again.
    private func recordLost(_ connection: PostgresConnection, _ server: ServerIdentity) throws {
        let lost = ledger.takeLost()
        for (index, stretch) in lost.enumerated() {
            do {
                logger.error(
                    "acknowledged lines lost",
                    metadata: [.lines: "\(stretch.sequences.count)", .reason: "\(stretch.reason)"]
                )
                let position = try LostBatch.write(stretch, spool: spool.spoolID, on: connection)
                metrics.events.dead.add(stretch.sequences.count)
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

    private func tellPresence(on connection: PostgresConnection) throws(PostgresError) {
        guard !hasLeft else { return }
        if ledger.isLeaving {
            hasLeft = true
            defer { ledger.left() }
            return try presence.tellStopped(ownRow, on: connection)
        }
        try presence.tell(
            { ownRow }, of: spool.spoolID, every: settings.value.database.presenceInterval, on: connection)
    }

    private var ownRow: DaemonRow {
        let retained = spool.retainedSequences
        let end = retained.ranges.last?.upperBound ?? spool.runStarts.last ?? 0
        return DaemonRow(
            spoolID: spool.spoolID, host: configuration.host, version: configuration.version,
            processID: Int(getpid()), startedAt: configuration.run.startedAt, spoolPosition: end,
            settledPosition: ledger.settledEnd(of: retained, end: end), spoolBytes: spool.fileBytes,
            waitingLines: ledger.uncommitted(of: retained).count, oldestWaitingAt: facts.oldestWaitingAt(),
            listeners: facts.listeners())
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
