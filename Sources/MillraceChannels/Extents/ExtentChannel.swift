import Synchronization

/// The channel from the spool to the writers: where to read, never the bytes.
///
/// Live extents come from the spool's thread and are never refused, since the spool is their bound: neighbours merge up
/// to `Extent.bytesMax`, so `spool.bytes` of backlog take about that many MiB of extents times 48 bytes. Extents of
/// a backlog (found at start, or lost by the database) come from one scanner, which waits for room.
///
/// A writer asks for a batch when it is free: a lone event goes at once, and while the first writer is busy, or `BatchPace`
/// holds few lines back, a bigger batch gathers by itself. The others are helpers: they join once `joinRows` lines wait, or
/// lines have waited for `patience` because the first writer is stuck. Below that they would only cost: more and smaller
/// transactions, which wait for each other's locks.
///
/// A batch that fails is set aside for a while, and others go on past it: up to `stuckMax` batches, then only these are
/// tried. One of them is tried at a time, and never twice in a row while others wait.
///
/// `keepTime` hands out what is due without anything new coming.
package final class ExtentChannel: Sendable {
    private struct State {
        var live = Queue()
        var backlog = Queue()
        var takers: [Taker] = []
        var takerCount: UInt64 = 0
        /// Since when something waits, or since the last batch was taken, if later; nil when nothing waits.
        var waitingSince: ContinuousClock.Instant?
        var pace: BatchPace
        /// Someone waits for a line below this to be committed, if such a line is still in `live`.
        var awaitedEnd: UInt64 = 0
        /// When `keepTime` looks next; nil when it need not.
        var alarm: ContinuousClock.Instant?
        /// Batches that were taken and are not yet written.
        var takenCount = 0
        var scanner: CheckedContinuation<Void, Never>?
        var aside: [SetAside] = []
        /// First sequences of the batches that were set aside before and are with a writer.
        var retried: Set<UInt64> = []
        var wasRetry = false
        var isOpen = false
        var isFinished = false

        var waitingCount: Int { live.count + backlog.count }

        var waiting: BatchPace.Waiting {
            BatchPace.Waiting(
                rows: waitingCount, isAwaited: live.first.map { $0.firstSequence < awaitedEnd } ?? false,
                hasBacklog: !backlog.isEmpty)
        }
    }

    private struct SetAside {
        var batch: Batch
        var until: ContinuousClock.Instant
    }

    private struct Taker {
        var id: UInt64
        var isHelper: Bool
        var continuation: CheckedContinuation<Batch?, Never>
    }

    private struct Queue {
        var extents: [Extent] = []
        var head = 0
        var count = 0

        var isEmpty: Bool { head == extents.count }
        var first: Extent? { head < extents.count ? extents[head] : nil }

        mutating func append(_ extent: Extent, rowsMax: Int) {
            count += extent.count
            if head < extents.count, let last = extents.last, last.adjoins(extent),
                last.length + extent.length <= Extent.bytesMax, last.count + extent.count <= rowsMax
            {
                extents[extents.count - 1].length += extent.length
                extents[extents.count - 1].count += extent.count
            } else {
                extents.append(extent)
            }
        }

        mutating func popFirst() -> Extent {
            let extent = extents[head]
            head += 1
            count -= extent.count
            if head > 1024, head * 2 > extents.count {
                extents.removeSubrange(..<head)
                head = 0
            }
            return extent
        }
    }

    /// Extents the scanner may have waiting before it is held back.
    private static let backlogExtentsMax = 256

    private let rowsMax: Int
    private let bytesMax: Int
    private let joinRows: Int
    private let writers: Int
    private let patience: Duration
    private let stuckMax: Int
    private let state: Mutex<State>
    private let alarms = AsyncStream.makeStream(of: ContinuousClock.Instant.self)

    /// `rowsMax`, `bytesMax`: bounds of one batch; a single larger extent makes a batch of its own. `writers`: how many
    /// share what waits; above a quarter of `rowsMax` none takes more than its share, so that all end at about the same
    /// time. `joinRows`: lines that wait when helpers join; never more than a batch. `patience`: how long lines wait for
    /// the first writer before a helper takes them. `stuckMax`: batches that are set aside at most.
    package init(
        rowsMax: Int, bytesMax: Int, writers: Int = 1, joinRows: Int = 1, patience: Duration = .milliseconds(200),
        pace: BatchPace = BatchPace(), stuckMax: Int = 16
    ) {
        self.rowsMax = rowsMax
        self.bytesMax = bytesMax
        self.writers = writers
        self.joinRows = min(joinRows, rowsMax)
        self.patience = patience
        self.stuckMax = stuckMax
        state = Mutex(State(pace: pace))
    }

    /// Lines that wait for a writer now.
    package var waitingCount: Int { state.withLock { $0.waitingCount } }

    /// Whether every batch that was taken is written, and nothing waits.
    package var isDrained: Bool { state.withLock { $0.waitingCount == 0 && $0.takenCount == 0 } }

    /// A writer is done with the batch it took.
    package func batchEnded() {
        state.withLock { $0.takenCount -= 1 }
    }
    /// Lines of the batches that are set aside and not with a writer.
    package var asideCount: Int { state.withLock { $0.aside.reduce(0) { $0 + $1.batch.count } } }

    /// Whether so much waits that helpers join.
    package var isHelpWanted: Bool { waitingCount >= joinRows }

    /// Lets writers take batches (the ledger has been read), or holds them back (PostgreSQL is down).
    package func setOpen(_ isOpen: Bool) {
        handOut { $0.isOpen = isOpen }
    }

    /// A batch failed; it is handed out again as `parts` after `until`. The bound is on new batches, so this is never
    /// refused.
    package func setAside(_ batch: Batch, as parts: [Batch], until: ContinuousClock.Instant) {
        handOut { state -> Void in
            state.retried.remove(batch.sequences.lowerBound)
            state.aside += parts.map { SetAside(batch: $0, until: until) }
        }
    }

    /// A batch that was handed out needs no further try.
    package func settled(_ batch: Batch) {
        let wasRetried = state.withLock { $0.retried.remove(batch.sequences.lowerBound) != nil }
        if wasRetried { handOut { _ in } }
    }

    /// What is set aside is to be tried now.
    package func retryAll() {
        handOut { state -> Void in
            for index in state.aside.indices { state.aside[index].until = .now }
        }
    }

    /// A live extent, durable just now. Called in order of sequence, by the spool only. Never blocks. `isAwaited`: someone
    /// waits for one of its lines to be committed, so that it is not held back.
    package func publish(_ extent: Extent, isAwaited: Bool = false) {
        handOut { state in
            state.live.append(extent, rowsMax: rowsMax)
            if isAwaited { state.awaitedEnd = extent.sequences.upperBound }
        }
    }

    /// An extent of the backlog; waits while the writers are far behind. One scanner at a time.
    package func publishBacklog(_ extent: Extent) async {
        handOut { $0.backlog.append(extent, rowsMax: rowsMax) }
        await withCheckedContinuation { continuation in
            let isRoom = state.withLock { state in
                if state.isFinished || state.backlog.extents.count - state.backlog.head < Self.backlogExtentsMax {
                    return true
                }
                state.scanner = continuation
                return false
            }
            if isRoom { continuation.resume() }
        }
    }

    /// Waits for a batch, as the first writer. Nil when the channel is finished or the task is cancelled; what is left
    /// stays in the spool.
    package func nextBatch() async -> Batch? {
        await nextBatch(isHelper: false)
    }

    /// The same as a helper.
    package func nextHelperBatch() async -> Batch? {
        await nextBatch(isHelper: true)
    }

    /// Hands out what is due by time alone: what the pace held back, and what the first writer leaves lying. Until the
    /// channel is finished, or the task is cancelled.
    package func keepTime() async {
        await withDiscardingTaskGroup { group in
            for await alarm in alarms.stream {
                // An earlier one may come meanwhile; the later ones then find nothing to do.
                group.addTask {
                    try? await Task.sleep(until: alarm, clock: .continuous)
                    self.handOut { if $0.alarm == alarm { $0.alarm = nil } }
                }
            }
            group.cancelAll()
        }
    }

    private func nextBatch(isHelper: Bool) async -> Batch? {
        let id = state.withLock { state in
            state.takerCount += 1
            return state.takerCount
        }
        return await withTaskCancellationHandler {
            await withCheckedContinuation { continuation in
                settle { state in
                    state.takers.append(Taker(id: id, isHelper: isHelper, continuation: continuation))
                    return Task.isCancelled ? [id] : []
                }
            }
        } onCancel: {
            settle { _ in [id] }
        }
    }

    /// Nothing is held back any more: the daemon stops.
    package func endPace() {
        handOut { $0.pace = BatchPace() }
    }

    /// Ends the channel: every waiting writer gets nil.
    package func finish() {
        handOut { $0.isFinished = true }
        alarms.continuation.finish()
    }

    private func handOut(_ change: (inout State) -> Void) {
        settle { state in
            change(&state)
            return []
        }
    }

    /// Applies `change`, which names takers to send away, and gives batches to those who wait.
    private func settle(_ change: (inout State) -> [UInt64]) {
        let now = ContinuousClock.now
        let (deliveries, scanner, alarm) = state.withLock { state in
            var deliveries: [(CheckedContinuation<Batch?, Never>, Batch?)] = []
            for id in change(&state) {
                guard let index = state.takers.firstIndex(where: { $0.id == id }) else { continue }
                deliveries.append((state.takers.remove(at: index).continuation, nil))
            }
            if state.isFinished {
                deliveries += state.takers.map { ($0.continuation, nil) }
                state.takers = []
            }
            if !state.isOpen || state.waitingCount == 0 {
                state.waitingSince = nil
            } else if state.waitingSince == nil {
                state.waitingSince = now
            }
            while let taker = retryTaker(state), let batch = Self.takeDue(&state, now) {
                deliveries.append((state.takers.remove(at: taker).continuation, batch))
            }
            while let taker = nextTaker(state, now), let batch = Self.gather(&state, share(state), bytesMax) {
                deliveries.append((state.takers.remove(at: taker).continuation, batch))
                state.takenCount += 1
                state.pace.batchTaken(rows: batch.count, at: now)
                state.waitingSince = state.waitingCount > 0 ? now : nil
                state.wasRetry = false
            }
            let alarm = setAlarm(&state, now)
            var scanner: CheckedContinuation<Void, Never>?
            if state.isFinished || state.backlog.extents.count - state.backlog.head < Self.backlogExtentsMax / 2 {
                scanner = state.scanner
                state.scanner = nil
            }
            return (deliveries, scanner, alarm)
        }
        for (continuation, batch) in deliveries { continuation.resume(returning: batch) }
        if let alarm { alarms.continuation.yield(alarm) }
        scanner?.resume()
    }

    /// The place of who takes the next batch, if anyone may.
    private func nextTaker(_ state: State, _ now: ContinuousClock.Instant) -> Int? {
        guard state.isOpen, state.waitingCount > 0, isRoom(state),
            state.pace.decide(state.waiting, at: now) == .take
        else { return nil }
        if let first = state.takers.firstIndex(where: { !$0.isHelper }) { return first }
        let isLate = state.waitingSince.map { now - $0 >= patience } ?? false
        return state.waitingCount >= joinRows || isLate ? state.takers.indices.first : nil
    }

    /// Whether one more batch may fail.
    private func isRoom(_ state: State) -> Bool { state.aside.count + state.retried.count < stuckMax }

    /// Has `keepTime` look when a taker may have what waits now, or was set aside; nil when it does already, or when nothing
    /// is to be had.
    private func setAlarm(_ state: inout State, _ now: ContinuousClock.Instant) -> ContinuousClock.Instant? {
        guard state.isOpen, !state.takers.isEmpty else { return nil }
        var due = retryTaker(state) == nil ? nil : state.aside.map(\.until).min()
        if let since = state.waitingSince, isRoom(state) {
            let new =
                switch state.pace.decide(state.waiting, at: now) {
                case .wait(until: let instant): instant
                // There are helpers only.
                case .take: since + patience
                }
            due = due.map { min($0, new) } ?? new
        }
        guard let due else { return nil }
        if let alarm = state.alarm, alarm <= due { return nil }
        state.alarm = due
        return due
    }

    /// The place of who takes a batch that was set aside.
    private func retryTaker(_ state: State) -> Int? {
        guard state.isOpen, state.retried.isEmpty else { return nil }
        guard !isRoom(state) || !state.wasRetry || state.waitingCount == 0 else { return nil }
        return state.takers.indices.last
    }

    private static func takeDue(_ state: inout State, _ now: ContinuousClock.Instant) -> Batch? {
        let due = state.aside.indices.min { state.aside[$0].until < state.aside[$1].until }
        guard let due, state.aside[due].until <= now else { return nil }
        let batch = state.aside.remove(at: due).batch
        state.retried.insert(batch.sequences.lowerBound)
        state.takenCount += 1
        state.wasRetry = true
        return batch
    }

    /// Rows that one writer takes at most.
    private func share(_ state: State) -> Int {
        min(rowsMax, max(rowsMax / 4, state.waitingCount / writers))
    }

    private static func gather(_ state: inout State, _ rowsMax: Int, _ bytesMax: Int) -> Batch? {
        let takesBacklog =
            switch (state.backlog.first, state.live.first) {
            case (nil, nil): Bool?.none
            case (nil, _?): false
            case (_?, nil): true
            case (let backlog?, let live?): backlog.firstSequence < live.firstSequence
            }
        guard let takesBacklog else { return nil }
        return takesBacklog ? gather(&state.backlog, rowsMax, bytesMax) : gather(&state.live, rowsMax, bytesMax)
    }

    private static func gather(_ queue: inout Queue, _ rowsMax: Int, _ bytesMax: Int) -> Batch {
        var extents = [queue.popFirst()]
        var rows = extents[0].count
        var bytes = extents[0].length
        while let next = queue.first, next.firstSequence == extents[extents.count - 1].sequences.upperBound,
            rows + next.count <= rowsMax, bytes + next.length <= bytesMax
        {
            rows += next.count
            bytes += next.length
            extents.append(queue.popFirst())
        }
        return Batch(extents: extents)
    }
}
