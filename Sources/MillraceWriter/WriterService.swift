import Logging
import MillraceEvent
import MillracePostgres
import Synchronization

/// One writer: takes batches from the extent channel and puts each into PostgreSQL exactly once.
///
/// Enters: batches (where to read). Leaves: rows, ledger rows, dead letters; `BatchOutcome` to the commit board;
/// the commit's log position to the ledger.
///
/// Invariants
/// 1. A batch is in the ledger if and only if its rows are in their tables: one transaction.
/// 2. A batch that was taken is retried until the ledger holds it, or the daemon stops; then it is still in the spool.
/// 3. Nobody waits for a batch to be committed that this writer has not first seen committed.
/// 4. No row is retried for ever: a row that PostgreSQL refuses for good becomes a dead letter.
///
/// Crash: what was not committed is a hole in the ledger; the next start queues it again.
/// Backpressure: none upwards; extents wait in their channel, bytes in the spool.
/// Shutdown: goes on until the channel is empty or `drainLimit` is over, then is interrupted wherever it waits.
actor WriterService {
    private let executor: ThreadExecutor
    private let index: Int
    private let configuration: WriterConfiguration
    private let extents: ExtentChannel
    private let board: CommitBoard
    private let ledger: Ledger
    private let gate: DatabaseGate
    private let cleaning: CleaningGate
    private let interrupt: PostgresInterrupt
    private let metrics: WriterMetrics
    private let writer: BatchWriter
    private let partitions: LeafPartitions
    private var logger: Logger
    /// Logged already: batches come often, and the operator mends it once.
    private var omissions: Set<BatchProjection.Omission> = []
    private var connection: (session: PostgresConnection, server: ServerIdentity)?

    nonisolated var unownedExecutor: UnownedSerialExecutor { executor.asUnownedSerialExecutor() }

    /// `index`: of this writer, from 0; also its advisory lock. `interrupt` ends every wait on the network.
    init(
        index: Int, configuration: WriterConfiguration, partitionOptions: PartitionOptions, spool: any SpoolReader,
        extents: ExtentChannel, board: CommitBoard, ledger: Ledger, gate: DatabaseGate, cleaning: CleaningGate,
        interrupt: PostgresInterrupt, metrics: WriterMetrics, logger: Logger
    ) {
        executor = ThreadExecutor(name: "writer-\(index)")
        self.index = index
        self.configuration = configuration
        self.extents = extents
        self.board = board
        self.ledger = ledger
        self.gate = gate
        self.cleaning = cleaning
        self.interrupt = interrupt
        self.metrics = metrics
        self.logger = logger
        self.logger[metadataKey: "writer"] = "\(index)"
        partitions = LeafPartitions(options: partitionOptions)
        writer = BatchWriter(
            spool: spool, index: index, partitions: partitions, packs: configuration.packs,
            partBytesMax: configuration.partBytesMax)
    }

    func run() async {
        while let batch = await nextBatch() {
            metrics.batchesInFlight.add(1, ordering: .relaxed)
            await writeUntilCommitted(batch, takenAt: .now)
            metrics.batchesInFlight.subtract(1, ordering: .relaxed)
            extents.batchEnded()
        }
        connection = nil
        executor.stop()
    }

    /// Every writer but the first joins only while there is much to do, and the lists of GIN are not behind.
    private func nextBatch() async -> Batch? {
        guard index > 0 else { return await extents.nextBatch() }
        await cleaning.waitUntilCaughtUp()
        return await extents.nextHelperBatch()
    }

    private func writeUntilCommitted(_ batch: Batch, takenAt: Timestamp) async {
        var backoff = Backoff(min: configuration.retryMin, max: configuration.retryMax)
        while await gate.waitUntilOpen() {
            do {
                try attempt(batch, takenAt: takenAt)
                return
            } catch let error as PostgresError {
                guard error.code != .interrupted else { return }
                if let wait = recover(from: error, batch, &backoff) { try? await Task.sleep(for: wait) }
            } catch let conflict as SequenceConflict {
                return ledger.fail(conflict)
            } catch {
                // The spool could not be read: the disk's fault, not the batch's. The extents stay where they are.
                logger.error("spool read failed", metadata: ["error": "\(error)", "batch": "\(batch.sequences)"])
                try? await Task.sleep(for: backoff.next())
            }
        }
    }

    private func attempt(_ batch: Batch, takenAt: Timestamp) throws {
        let (session, server) = try connected()
        let result = try writer.write(
            batch, isDurable: board.isAwaited(batch.sequences), on: session, metrics: metrics
        )
        switch result {
        case .committed(let committed):
            ledger.batchCommitted(batch.sequences, at: committed.position, on: server)
            metrics.onCommitted(batch.sequences, committed.arrivals, takenAt)
            metrics.record(committed.outcome)
            report(committed.omissions)
            metrics.isStopped.store(false, ordering: .relaxed)
            board.settle(committed.outcome)
        case .overlap(let covered):
            logger.warning("ledger holds part of a batch", metadata: ["batch": "\(batch.sequences)"])
            ledger.foundOverlap(in: batch.sequences, covered: covered)
        }
    }

    private func report(_ new: [BatchProjection.Omission]) {
        for omission in new where omissions.insert(omission).inserted {
            logger.error(
                "batches not folded",
                metadata: [
                    "pack": "\(omission.pack)", "version_id": "\(omission.versionID)", "error": "\(omission.reason)",
                    "hint":
                        "the rows are stored; mend the cause, then run millrace projections rebuild \(omission.pack)",
                ])
        }
    }

    private func connected() throws -> (PostgresConnection, ServerIdentity) {
        if let connection, connection.session.isUsable { return (connection.session, connection.server) }
        connection = nil
        let session = try PostgresConnection(
            connectionString: configuration.databaseURL, applicationName: configuration.run.session("writer \(index)"),
            connectTimeout: configuration.connectTimeout, statementTimeout: configuration.statementTimeout,
            interrupt: interrupt, logger: logger
        )
        let server = try session.serverIdentity()
        connection = (session, server)
        return (session, server)
    }

    /// Decides what a failed attempt means; returns how long to wait before the next one.
    private func recover(from error: PostgresError, _ batch: Batch, _ backoff: inout Backoff) -> Duration? {
        metrics.countRetry(error.category)
        if connection?.session.isUsable != true { connection = nil }
        switch error.category {
        case .missingPartition:
            do {
                guard let session = connection?.session else { return nil }
                try partitions.ensureLeaves(of: writer.leaves, on: session)
                // At once; but not again and again, should the partition not be what is missing.
                let wait = backoff.next()
                return backoff.attempts == 1 ? nil : wait
            } catch {
                logger.warning("partition not made", metadata: ["error": "\(error)"])
                return backoff.next()
            }
        case .stop:
            metrics.isStopped.store(true, ordering: .relaxed)
            logger.error("database refuses the daemon", metadata: error.metadata)
            return configuration.retryMax
        case .retry where connection == nil:
            // The ledger's session probes; this writer waits at the gate.
            gate.close()
            ledger.wakeup.signal()
            return nil
        case .retry, .retryWithAlarm, .duplicate, .poison:
            logger.warning("batch failed", metadata: error.metadata)
            return backoff.next()
        }
    }
}
