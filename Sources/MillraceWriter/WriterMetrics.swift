package import MillraceEvent
package import MillracePostgres
package import Synchronization

/// What the writers count, for the daemon to export. Written once a batch.
package final class WriterMetrics: Sendable {
    /// Rows in, lines already there and lines dead, of one kind.
    package final class Kind: Sendable {
        package let committed = Atomic<Int>(0)
        package let duplicates = Atomic<Int>(0)
        package let dead = Atomic<Int>(0)
    }

    package let events = Kind()
    package let conversations = Kind()
    package let refused = Atomic<Int>(0)
    package let batches = Atomic<Int>(0)
    /// Batches that went through the staging table.
    package let stagedBatches = Atomic<Int>(0)
    package let batchesInFlight = Atomic<Int>(0)
    /// True while the writers stand still until someone mends the database.
    package let isStopped = Atomic<Bool>(false)
    package let isDatabaseUp = Atomic<Bool>(false)
    /// Months that are ready beyond the current one.
    package let monthsAhead = Atomic<Int>(0)
    /// Told how long the COPYs and the commit of a batch took, with the batch's count of lines.
    package let onBatch: @Sendable (_ copy: Duration, _ commit: Duration, _ count: Int) -> Void
    /// Told, right after a commit, when the lines of the batch were received.
    package let onArrivals: @Sendable ([(receivedAt: Timestamp, count: Int)]) -> Void

    /// Why a batch is tried again.
    package static let retryReasons = SQLStateClass.allCases
    private let retryCounts = Mutex<[SQLStateClass: Int]>([:])

    private let countUncommitted = Mutex<@Sendable () -> Int>({ 0 })

    package init(
        onBatch: @escaping @Sendable (Duration, Duration, Int) -> Void = { _, _, _ in },
        onArrivals: @escaping @Sendable ([(receivedAt: Timestamp, count: Int)]) -> Void = { _ in }
    ) {
        self.onBatch = onBatch
        self.onArrivals = onArrivals
    }

    /// Lines in the spool that the ledger does not hold yet.
    package func uncommittedLines() -> Int { countUncommitted.withLock { $0 }() }

    func setUncommitted(_ count: @escaping @Sendable () -> Int) {
        countUncommitted.withLock { $0 = count }
    }

    /// Batches tried again for `reason`.
    package func retries(_ reason: SQLStateClass) -> Int { retryCounts.withLock { $0[reason, default: 0] } }

    func countRetry(_ reason: SQLStateClass) {
        retryCounts.withLock { $0[reason, default: 0] += 1 }
    }

    func record(_ outcome: BatchOutcome) {
        Self.add(outcome.events, to: events)
        Self.add(outcome.conversations, to: conversations)
        refused.add(outcome.refused, ordering: .relaxed)
        batches.add(1, ordering: .relaxed)
    }

    private static func add(_ counts: BatchOutcome.Counts, to kind: Kind) {
        kind.committed.add(counts.committed, ordering: .relaxed)
        kind.duplicates.add(counts.duplicates, ordering: .relaxed)
        kind.dead.add(counts.dead, ordering: .relaxed)
    }
}
