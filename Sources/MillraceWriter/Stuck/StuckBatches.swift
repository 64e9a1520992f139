internal import MillraceChannels
import MillracePostgres
import Synchronization
import MillraceTelemetry

/// The batches that failed, as all writers share them; carries out what `StuckBatchStateMachine` decides.
final class StuckBatches: Sendable {
    private let machine: Mutex<StuckBatchStateMachine>
    private let spool: any SpoolReader
    private let extents: ExtentChannel
    private let metrics: WriterMetrics

    init(
        configuration: WriterConfiguration, spool: any SpoolReader, extents: ExtentChannel, metrics: WriterMetrics
    ) {
        self.spool = spool
        machine = Mutex(
            StuckBatchStateMachine(
                retryMin: configuration.database.retryMin, retryMax: configuration.database.retryMax,
                rowErrorTries: configuration.database.rowErrorTries))
        self.extents = extents
        self.metrics = metrics
    }

    func tries(of batch: Batch) -> Int { machine.withLock { $0.tries(of: batch.sequences) } }

    func care(for batch: Batch) -> BatchCare { machine.withLock { $0.care(for: batch.sequences) } }

    /// Gives a batch back to the channel, to be tried again later, and lets others go on.
    func setAside(_ batch: Batch, _ failure: StuckBatchStateMachine.Failure, _ fault: WritingFault) {
        let parts = failure == .waited ? batch.smaller(reading: spool) : [batch]
        let (wait, count) = machine.withLock { machine in
            let wait = machine.batchFailed(parts.map(\.sequences), failure, fault, at: .now)
            tell(machine, fault)
            return (wait, machine.count)
        }
        metrics.stuckBatches.set(count)
        extents.setAside(batch, as: parts, until: .now + wait)
    }

    /// A batch is in the ledger.
    func batchCommitted(_ batch: Batch, into tables: Set<PartitionedTable>, begunAt: ContinuousClock.Instant) {
        let (isWorthTrying, count) = machine.withLock { machine in
            let hadStuck = machine.count > 0
            let isWorthTrying = machine.batchCommitted(batch.sequences, into: tables, begunAt: begunAt)
            if hadStuck { tell(machine, machine.fault) }
            return (isWorthTrying, machine.count)
        }
        metrics.stuckBatches.set(count)
        extents.settled(batch)
        if isWorthTrying { extents.retryAll() }
    }

    private func tell(_ machine: StuckBatchStateMachine, _ fault: WritingFault?) {
        metrics.writing.apply(
            .batchesStuck(count: machine.count, lines: machine.lines, fault: fault ?? .noAnswer))
    }
}
