internal import MillraceChannels
import MillraceEvent
import Synchronization

/// Hands batches to the writers that ask for one; carries out what `BatchScheduleStateMachine` decides.
///
/// `keepTime` hands out what is due without anything new coming.
final class BatchScheduler: Sendable {
    private struct State {
        var machine: BatchScheduleStateMachine
        /// Those who ask, by their number.
        var writers: [Int: CheckedContinuation<Batch?, Never>] = [:]
    }

    private let extents: ExtentChannel
    private let state: Mutex<State>
    /// Only the last one counts: the machine sets an earlier one, or one after that has come.
    private let alarms = AsyncStream.makeStream(
        of: ContinuousClock.Instant.self, bufferingPolicy: .bufferingNewest(1))

    init(_ machine: BatchScheduleStateMachine, of extents: ExtentChannel) {
        self.extents = extents
        state = Mutex(State(machine: machine))
        extents.onPublish { [weak self] in self?.apply { _, _ in } }
    }

    /// Whether every batch that was taken is written, and nothing waits.
    var isDrained: Bool { state.withLock { $0.machine.takenCount } == 0 && extents.waitingCount == 0 }

    /// Lines that wait for a writer, those of the batches that were set aside included.
    var waitingCount: Int { state.withLock { $0.machine.asideCount } + extents.waitingCount }

    /// Whether so much waits that helpers join.
    var isHelpWanted: Bool {
        let waiting = extents.waiting
        return state.withLock { $0.machine.isHelpWanted(waiting) }
    }

    /// Waits for a batch for a writer, number 0 the first. Nil when the stage ends or the task is cancelled; what is left
    /// stays in the spool.
    func nextBatch(for writer: Int) async -> Batch? {
        await withTaskCancellationHandler {
            await withCheckedContinuation { continuation in
                guard !Task.isCancelled else { return continuation.resume(returning: nil) }
                apply { state, _ in
                    state.writers[writer] = continuation
                    state.machine.writerAsked(writer)
                }
                // Cancelled before `onCancel` could find it.
                if Task.isCancelled { leave(writer) }
            }
        } onCancel: {
            leave(writer)
        }
    }

    /// Bounds of batches from now on.
    func setBounds(rowsMax: Int, joinRows: Int, pace: BatchPace, stuckMax: Int) {
        apply { state, _ in
            state.machine.boundsChanged(rowsMax: rowsMax, joinRows: joinRows, pace: pace, stuckMax: stuckMax)
        }
    }

    /// Lets writers take batches (the ledger has been read), or holds them back (PostgreSQL is down).
    func setOpen(_ isOpen: Bool) {
        apply { state, _ in state.machine.gateChanged(isOpen: isOpen) }
    }

    /// A batch failed; it is handed out again as `parts` after `until`.
    func setAside(_ batch: Batch, as parts: [Batch], until: ContinuousClock.Instant) {
        apply { state, _ in state.machine.batchFailed(batch, parts: parts, until: until) }
    }

    /// A batch is in the ledger. `isRetryWorthwhile`: what is set aside is to be tried now.
    func batchCommitted(_ batch: Batch, isRetryWorthwhile: Bool) {
        apply { state, now in
            state.machine.batchCommitted(batch)
            if isRetryWorthwhile { state.machine.retryBecameWorthwhile(at: now) }
        }
    }

    /// A writer is done with the batch that it took.
    func batchEnded() {
        state.withLock { $0.machine.batchEnded() }
    }

    /// Nothing is held back any more: the daemon stops.
    func beginDrain() {
        apply { state, _ in state.machine.drainBegan() }
    }

    /// Ends the stage's work: every waiting writer gets nil, and so does who asks later. The channel ends too.
    func finish() {
        apply { state, _ in state.machine.finished() }
        extents.finish()
        alarms.continuation.finish()
    }

    /// Hands out what is due by time alone: what the pace held back, and what the first writer leaves lying. Until `finish`,
    /// or until the task is cancelled.
    func keepTime() async {
        await withDiscardingTaskGroup { group in
            for await alarm in alarms.stream {
                // An earlier one may come meanwhile; the later ones then find nothing to do.
                group.addTask {
                    try? await Task.sleep(until: alarm, clock: .continuous)
                    self.apply { state, _ in state.machine.woken(at: alarm) }
                }
            }
            group.cancelAll()
        }
    }

    private func leave(_ writer: Int) {
        let continuation = state.withLock { state in
            state.machine.writerLeft(writer) ? state.writers.removeValue(forKey: writer) : nil
        }
        continuation?.resume(returning: nil)
    }

    /// Tells the machine what happened, and does what it says.
    private func apply(_ event: (inout State, ContinuousClock.Instant) -> Void) {
        let now = ContinuousClock.now
        let deliveries = state.withLock { state in
            event(&state, now)
            var deliveries: [(writer: CheckedContinuation<Batch?, Never>?, batch: Batch?)] = []
            while let action = state.machine.next(extents.waiting, at: now) {
                switch action {
                case .take(let rowsMax, let writer):
                    // Whatever waits waits for this scheduler alone, so that it is still there.
                    let batch = extents.take(rowsMax: rowsMax)
                    state.machine.batchTaken(rows: batch?.count ?? 0, at: now)
                    deliveries.append((state.writers.removeValue(forKey: writer), batch))
                case .retry(let batch, let writer):
                    deliveries.append((state.writers.removeValue(forKey: writer), batch))
                case .dismiss(let writer): deliveries.append((state.writers.removeValue(forKey: writer), nil))
                // With the lock held, so that they come in order.
                case .wake(at: let instant): alarms.continuation.yield(instant)
                }
            }
            return deliveries
        }
        for (writer, batch) in deliveries { writer?.resume(returning: batch) }
    }
}
