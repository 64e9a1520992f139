internal import MillraceChannels
import MillraceEvent
import MillracePostgres
import MillraceTelemetry
import Synchronization

/// The batches that failed, as all writers share them; carries out what `StuckBatchStateMachine` decides.
final class StuckBatches: Sendable {
    private let machine: Mutex<StuckBatchStateMachine>
    private let spool: any SpoolReader
    private let scheduler: BatchScheduler
    private let metrics: WriterMetrics

    init(
        configuration: WriterConfiguration, spool: any SpoolReader, scheduler: BatchScheduler, metrics: WriterMetrics
    ) {
        self.spool = spool
        machine = Mutex(
            StuckBatchStateMachine(
                retryMin: configuration.database.retryMin, retryMax: configuration.database.retryMax,
                rowErrorTries: configuration.database.rowErrorTries))
        self.scheduler = scheduler
        self.metrics = metrics
    }

    func tries(of batch: Batch) -> Int { machine.withLock { $0.tries(of: batch.sequences) } }

    func care(for batch: Batch) -> BatchCare { machine.withLock { $0.care(for: batch.sequences) } }

    /// Gives a batch back to the scheduler, to be tried again later, and lets others go on.
    func setAside(_ batch: Batch, _ failure: StuckBatchStateMachine.Failure, _ fault: WritingFault) {
        let parts = failure == .waited ? batch.smaller(reading: spool) : [batch]
        let (wait, count) = machine.withLock { machine in
            let wait = machine.batchFailed(parts.map(\.sequences), failure, fault, at: .now)
            tell(machine, fault)
            return (wait, machine.count)
        }
        metrics.stuckBatches.set(count)
        scheduler.setAside(batch, as: parts, until: .now + wait)
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
        scheduler.batchCommitted(batch, isRetryWorthwhile: isWorthTrying)
    }

    private func tell(_ machine: StuckBatchStateMachine, _ fault: WritingFault?) {
        metrics.writing.apply(
            .batchesStuck(count: machine.count, lines: machine.lines, fault: fault ?? .noAnswer))
    }
}

extension Batch {
    /// The batch in two, as it was gathered; a single extent at the border of two of its records. One record is left as it
    /// is, and so is what can't be read: the next try says why. Blocks on the disk.
    func smaller(reading spool: any SpoolReader) -> [Batch] {
        guard extents.count == 1 else { return halves }
        let records = Self.records(of: extents[0], spool)
        return records.count > 1 ? Batch(extents: records).halves : [self]
    }

    private static func records(of extent: Extent, _ spool: any SpoolReader) -> [Extent] {
        var records: [Extent] = []
        var end = extent.offset
        try? spool.read(extent) { item in
            guard case .record(let header, _) = item else { return }
            let length = RecordHeader.byteCount + header.payloadBytes
            records.append(
                Extent(
                    segment: extent.segment, offset: end, length: length, firstSequence: header.firstSequence,
                    count: header.count))
            end += length
        }
        let areAll =
            end == extent.offset + extent.length && records.reduce(0) { $0 + $1.count } == extent.count
            && zip(records, records.dropFirst()).allSatisfy { $0.adjoins($1) }
        return areAll ? records : [extent]
    }
}
