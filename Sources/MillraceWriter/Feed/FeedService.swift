import Logging
internal import MillraceChannels
import MillraceEvent
internal import MillracePostgres
internal import MillraceThreads
import MillraceTelemetry

/// Shows committed events to who watches.
///
/// Enters: batches right after their COMMIT, while anybody watches. Leaves: events, into the queues of the subscriptions.
///
/// Invariants
/// 1. No event is shown before its transaction is committed.
/// 2. A writer never waits: it hands over where the batch lies in the spool, and goes on. Without a subscription it does not
///    even do that.
/// 3. A batch is read only where its rows are wanted: a subscription that takes everything and whose queue is full is told
///    how many it misses without a look at them.
/// 4. What a subscription wants and does not get is counted.
///
/// Crash: nothing is kept. Backpressure: none upwards; batches beyond `live.batches_max` are not looked at, and counted as
/// dropped. Shutdown: ends with the writers; what has not been shown is not.
actor FeedService {
    private let executor = ThreadExecutor(name: "feed")
    private let feed: EventFeed
    private let reader: BatchReader
    private let logger: Logger
    nonisolated private let batches: AsyncStream<CommittedBatch>
    nonisolated private let inlet: AsyncStream<CommittedBatch>.Continuation

    nonisolated var unownedExecutor: UnownedSerialExecutor { executor.asUnownedSerialExecutor() }

    init(_ feed: EventFeed, _ configuration: FeedConfiguration, spool: any SpoolReader, logger: Logger) {
        self.feed = feed
        self.logger = logger
        reader = BatchReader(spool: spool)
        (batches, inlet) = AsyncStream.makeStream(bufferingPolicy: .bufferingOldest(configuration.batchesMax))
    }

    /// Any thread; never blocks.
    nonisolated func batchCommitted(_ batch: Batch, _ committed: BatchWriter.Committed) {
        guard feed.isWatched else { return }
        let batch = CommittedBatch(batch, committed)
        if case .dropped(let batch) = inlet.yield(batch) { drop(batch) }
    }

    /// Until `stop`, or cancellation.
    func run() async {
        for await batch in batches { show(batch) }
        executor.stop()
    }

    nonisolated func stop() {
        inlet.finish()
    }

    nonisolated private func drop(_ batch: CommittedBatch) {
        for subscription in feed.readers { subscription.drop(batch.rows[subscription.filter.tenant] ?? 0) }
    }

    private func show(_ batch: CommittedBatch) {
        let wanting = feed.readers.filter { subscription in
            let tenant = subscription.filter.tenant
            guard batch.rows[tenant] != nil else { return false }
            guard subscription.filter.takesAll, subscription.isFull, let events = batch.events else { return true }
            subscription.drop(events[tenant] ?? 0)
            return false
        }
        guard !wanting.isEmpty else { return }
        do {
            // An extent at a time, so that little is held.
            for extent in batch.batch.extents {
                var encoded = EncodedBatch(batchID: batch.batchID)
                try reader.read([extent], into: &encoded)
                dropLost(encoded.letters, of: batch, wanting)
                for leaf in reader.encoder.leaves where leaf.key.table == .analyticsEvents {
                    leaf.forEachRow { sequence, row in
                        if batch.isNew(sequence) {
                            FeedColumns.events.withRow(row, batch.batchID) { show($0, to: wanting) }
                        }
                    }
                }
            }
        } catch {
            logger.warning(
                "committed events not shown", metadata: [.batch: "\(batch.batch.sequences)", .error: "\(error)"])
            for subscription in wanting { subscription.drop(batch.rows[subscription.filter.tenant] ?? 0) }
        }
    }

    /// Rows whose lines can't be read any more: their segment is gone already, or damaged since.
    private func dropLost(_ letters: [DeadLetter], of batch: CommittedBatch, _ subscriptions: [FeedSubscription]) {
        for letter in letters where batch.isNew(letter.sequence) {
            for subscription in subscriptions where subscription.filter.tenant == letter.tenant {
                subscription.drop(letter.lines)
            }
        }
    }

    private func show(_ row: FeedRow, to subscriptions: [FeedSubscription]) {
        var event: FeedEvent?
        for subscription in subscriptions where subscription.filter.matches(row) {
            let shown = subscription.isFull ? nil : event ?? row.event
            guard let shown else {
                subscription.drop(1)
                continue
            }
            event = shown
            subscription.offer(shown)
        }
    }
}
