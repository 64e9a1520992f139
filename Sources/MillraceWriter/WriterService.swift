import Logging
internal import MillraceChannels
internal import MillraceThreads
import MillraceEvent
import MillracePostgres
import MillraceTelemetry

/// One writer: takes batches from the scheduler and puts each into PostgreSQL exactly once.
///
/// Enters: batches (where to read). Leaves: rows, ledger rows, dead letters; `BatchOutcome` to the commit board;
/// the commit's log position to the ledger.
///
/// Invariants
/// 1. A batch is in the ledger if and only if its rows are in their tables: one transaction.
/// 2. A batch that was taken is retried, by this writer or after being set aside by another one, until the ledger holds it,
///    or the daemon stops; then it is still in the spool.
/// 3. Nobody waits for a batch to be committed that this writer has not first seen committed.
/// 4. No row is retried for ever: a row that PostgreSQL refuses for good while others go in becomes a dead letter.
///
/// Crash: what was not committed is a hole in the ledger; the next start queues it again.
/// Backpressure: none upwards; extents wait in their channel, bytes in the spool.
/// Shutdown: goes on until the channel is empty or `drainLimit` is over, then is interrupted wherever it waits.
actor WriterService {
    private let executor: ThreadExecutor
    private let index: Int
    private var settings: LiveCopy<WriterConfiguration>
    private let primary: PrimaryGuard
    private let scheduler: BatchScheduler
    private let board: CommitBoard
    private let ledger: Ledger
    private let gate: Gate
    private let cleaning: CleaningGate
    private let stuck: StuckBatches
    private let interrupt: PostgresInterrupt
    private let metrics: WriterMetrics
    private let feed: FeedService
    private let writer: BatchWriter
    private let partitions: LeafPartitions
    private var logger: Logger
    /// Logged already: batches come often, and the operator fixes it once.
    private var omissions: Set<BatchProjection.Omission> = []
    private var connection: (session: PostgresConnection, server: ServerIdentity)?

    nonisolated var unownedExecutor: UnownedSerialExecutor { executor.asUnownedSerialExecutor() }

    /// `index`: of this writer, from 0; also its advisory lock. `interrupt` ends every wait on the network.
    init(
        index: Int, settings: Live<WriterConfiguration>, primary: PrimaryGuard, spool: any SpoolReader,
        scheduler: BatchScheduler, board: CommitBoard, ledger: Ledger, gate: Gate, cleaning: CleaningGate,
        stuck: StuckBatches, interrupt: PostgresInterrupt, metrics: WriterMetrics, feed: FeedService, logger: Logger
    ) {
        executor = ThreadExecutor(name: "writer-\(index)")
        self.index = index
        self.settings = LiveCopy(settings)
        self.primary = primary
        let configuration = settings.value
        self.scheduler = scheduler
        self.board = board
        self.ledger = ledger
        self.gate = gate
        self.cleaning = cleaning
        self.stuck = stuck
        self.interrupt = interrupt
        self.metrics = metrics
        self.feed = feed
        self.logger = logger
        self.logger[.writer] = "\(index)"
        partitions = LeafPartitions(configuration.partitions, options: configuration.partitionOptions)
        writer = BatchWriter(
            spool: spool, index: index, partitions: partitions, packs: configuration.packs,
            partBytesMax: configuration.database.partBytes, lockTimeout: configuration.database.batchLockTimeout)
    }

    private var configuration: WriterConfiguration { settings.value }

    func run() async {
        while let batch = await nextBatch() {
            takeSettings()
            metrics.batchesInFlight.add(1)
            metrics.linesInFlight.add(batch.count)
            metrics.activities.writerTook(batch.count, writer: index)
            await writeUntilCommitted(batch, takenAt: .now)
            metrics.activities.writerIsIdle(index)
            metrics.linesInFlight.add(-batch.count)
            metrics.batchesInFlight.add(-1)
            scheduler.batchEnded()
        }
        connection = nil
        executor.stop()
    }

    /// What was reloaded is in force from a batch's start on; what a session was opened with, by a new session.
    private func takeSettings() {
        let before = settings
        guard settings.refresh() else { return }
        let database = configuration.database
        writer.partBytesMax = database.partBytes
        writer.lockTimeout = database.batchLockTimeout
        if database.statementTimeout != before.value.database.statementTimeout { connection = nil }
    }

    /// Every writer but the first joins only while there is much to do, and the lists of GIN are not behind.
    private func nextBatch() async -> Batch? {
        if index > 0 { await cleaning.waitUntilCaughtUp() }
        return await scheduler.nextBatch(for: index)
    }

    private func writeUntilCommitted(_ batch: Batch, takenAt: Timestamp) async {
        var backoff = Backoff(min: configuration.database.retryMin, max: configuration.database.retryMax)
        while await gate.waitUntilOpen() {
            do {
                try attempt(batch, takenAt: takenAt)
                return
            } catch let error as PostgresError {
                guard error.code != .interrupted else { return }
                switch recover(from: error, batch, &backoff) {
                case .again(let wait): if wait > .zero { try? await Task.sleep(for: wait) }
                case .setAside(let failure): return setAside(batch, failure, WritingFault(error))
                }
            } catch is BatchOverfull {
                for half in batch.halves { await writeUntilCommitted(half, takenAt: takenAt) }
                return
            } catch let refusal as TableRefusal {
                metrics.retries(refusal.cause.category).add(1)
                return setAside(batch, .tableRefused(refusal.table), WritingFault(refusal))
            } catch let conflict as SequenceConflict {
                return ledger.fail(conflict)
            } catch {
                // The spool could not be read: the disk's fault, not the batch's. The extents stay where they are.
                return setAside(batch, .other, .spoolUnreadable(error))
            }
        }
    }

    private func setAside(_ batch: Batch, _ failure: StuckBatchStateMachine.Failure, _ fault: WritingFault) {
        // The watch says it again as long as it lasts.
        if stuck.tries(of: batch) == 0 {
            logger.warning(
                "batch failed",
                metadata: [
                    .batch: "\(batch.sequences)", .code: "\(fault.code)", .sqlState: "\(fault.sqlState ?? "")",
                    .reason: "\(fault.message)", .hint: "\(fault.hint)",
                ])
        }
        metrics.writing.apply(.batchFailed(fault))
        stuck.setAside(batch, failure, fault)
    }

    private func attempt(_ batch: Batch, takenAt: Timestamp) throws {
        let begunAt = ContinuousClock.now
        let (session, server) = try connected()
        let result = try writer.write(
            batch, awaited: board.awaited(in: batch.sequences), care: stuck.care(for: batch), on: session,
            metrics: metrics)
        switch result {
        case .committed(let committed):
            ledger.batchCommitted(batch.sequences, at: committed.position, on: server)
            metrics.onCommitted(batch.sequences, committed.arrivals, takenAt)
            metrics.record(committed.outcome)
            report(committed.omissions)
            report(committed.refused, of: batch)
            stuck.batchCommitted(batch, into: committed.outcome.tables, begunAt: begunAt)
            metrics.writing.apply(.batchCommitted)
            board.batchCommitted(committed.outcome)
            feed.batchCommitted(batch, committed)
        case .overlap(let covered):
            logger.warning("ledger holds part of a batch", metadata: [.batch: "\(batch.sequences)"])
            stuck.batchCommitted(batch, into: [], begunAt: begunAt)
            ledger.foundOverlap(in: batch.sequences, covered: covered)
            board.foundCommitted(covered)
        }
    }

    private func report(_ refused: (count: Int, example: StagedCopy.RefusedRow)?, of batch: Batch) {
        guard let (count, example) = refused else { return }
        logger.error(
            "lines refused, now dead letters",
            metadata: [
                .lines: "\(count)", .batch: "\(batch.sequences)", .code: "\(example.code)",
                .sqlState: "\(example.sqlState ?? "")", .reason: "\(example.message)",
                .hint: "fix the cause, then run millrace dead-letters retry",
            ])
    }

    private func report(_ new: [BatchProjection.Omission]) {
        for omission in new where omissions.insert(omission).inserted {
            logger.error(
                "batches not folded",
                metadata: [
                    .pack: "\(omission.pack)", .versionID: "\(omission.versionID)", .error: "\(omission.reason)",
                    .hint:
                        "the rows are stored; fix the cause, then run millrace projections rebuild \(omission.pack)",
                ])
        }
    }

    private func connected() throws -> (PostgresConnection, ServerIdentity) {
        if let connection, connection.session.isUsable { return (connection.session, connection.server) }
        connection = nil
        let configuration = configuration
        let session = try primary.connect(configuration.database.url.value) { (url) throws(PostgresError) in
            try PostgresConnection(
                connectionString: url, applicationName: configuration.run.session("writer \(index)"),
                connectTimeout: configuration.database.connectTimeout,
                statementTimeout: configuration.database.statementTimeout, interrupt: interrupt, logger: logger)
        }
        try session.requireUTF8()
        try Migrator.requireWhole(on: session)
        let server = try session.serverIdentity()
        try partitions.look(on: session)
        connection = (session, server)
        return (session, server)
    }

    private enum Recovery {
        /// This writer tries it again.
        case again(after: Duration)
        case setAside(StuckBatchStateMachine.Failure)
    }

    /// Tries of one writer before a batch is set aside whose error passes by itself.
    private static let ownTries = 2

    /// Decides what a failed attempt means.
    private func recover(from error: PostgresError, _ batch: Batch, _ backoff: inout Backoff) -> Recovery {
        metrics.retries(error.category).add(1)
        if error.sqlState == .deadlockDetected { metrics.deadlocks.add(1) }
        if connection?.session.isUsable != true { connection = nil }
        if connection == nil {
            // The ledger's session probes; this writer waits at the gate.
            metrics.writing.apply(.batchFailed(WritingFault(error)))
            gate.close()
            ledger.wakeup.signal()
            return error.code == .timedOut ? .setAside(.waited) : .again(after: .zero)
        }
        switch error.category {
        case .missingPartition where backoff.attempts == 0:
            do {
                guard let session = connection?.session else { return .again(after: .zero) }
                try partitions.ensureLeaves(of: writer.leaves, on: session)
                // At once; but not again and again, should the partition not be what is missing.
                _ = backoff.next()
                return .again(after: .zero)
            } catch {
                logger.warning("partition not made", metadata: [.error: "\(error)"])
                return .setAside(.other)
            }
        case .retry:
            if error.sqlState == .lockNotAvailable || error.sqlState == .queryCanceled { return .setAside(.waited) }
            let wait = backoff.next()
            return backoff.attempts <= Self.ownTries ? .again(after: wait) : .setAside(.other)
        case .retryWithAlarm, .duplicate, .poison, .missingPartition, .stop: return .setAside(.other)
        }
    }
}
