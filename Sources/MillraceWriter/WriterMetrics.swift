internal import MillraceChannels
package import MillraceEvent
package import MillracePostgres
package import MillraceProjections
package import MillraceTelemetry
package import Synchronization

/// What the writers count, for the daemon to export. Written once a batch.
package final class WriterMetrics: Sendable {
    /// Rows in, lines already there and lines dead, of one kind.
    package final class Kind: Sendable {
        package let committed = MetricCounter()
        package let duplicates = MetricCounter()
        package let dead = MetricCounter()
    }

    /// By tenant.
    package struct Tenants: Sendable {
        package var committed: TenantCounters
        package var dead: TenantCounters

        /// `registry`: where they are exposed; nil: nowhere.
        package init(tenantsMax: Int = 1, in registry: PrometheusRegistry? = nil) {
            committed = TenantCounters(.tenantLinesCommitted, tenantsMax: tenantsMax, in: registry)
            dead = TenantCounters(.tenantLinesDead, tenantsMax: tenantsMax, in: registry)
        }
    }

    package let events = Kind()
    package let conversations = Kind()
    package let refused = MetricCounter()
    /// Rows that went in, and dead lines, by tenant.
    package let tenants: Tenants
    package let batches = MetricCounter()
    /// Batches that went through the staging table.
    package let stagedBatches = MetricCounter()
    package let batchesInFlight = MetricCounter()
    /// Lines of the batches that writers have taken and not committed.
    package let linesInFlight = MetricCounter()
    /// Batches that failed and wait to be tried again.
    package let stuckBatches = MetricCounter()
    /// What each writer does.
    package let activities = WriterActivities()
    /// Whether events are being written.
    package let writing: WritingMonitor
    package let isDatabaseUp = Atomic<Bool>(false)
    /// True while no segment may go, since a standby that counts can't be asked.
    package let isRetentionBlocked = Atomic<Bool>(false)
    /// The standby that is furthest behind, of those that no segment waits for. Nil: there is none, or it is not known.
    package let slowestStandby = Mutex<StandbyLag.Slowest?>(nil)
    /// The last month that has its partitions, as this daemon last saw. Nil: it has not seen any.
    package let lastMonthReady = Mutex<PartitionMonth?>(nil)
    /// This daemon is the one that empties the GIN indexes' pending lists.
    package let isCleaner = Atomic<Bool>(false)
    /// Since when rows have waited in the GIN indexes' pending lists. Nil: none do.
    package let cleaningDueSince = Mutex<ContinuousClock.Instant?>(nil)
    /// Events whose row a projection's table refused.
    package let parked = MetricCounter()
    /// Batches that are not in each version of each pack.
    package let unfoldedBatches = MetricCounter()
    /// Batches that were tried again since they and others waited for each other, on one server or between workers.
    package let deadlocks = MetricCounter()
    /// Rows of the ledger that went up in others.
    package let joinedRows = MetricCounter()
    /// Letters of refused lines that went for the bounds of `dead_letters`.
    package let droppedLetters = MetricCounter()
    /// Told how long the parts of a batch took, with the batch's count of lines.
    package let onBatch: @Sendable (_ durations: BatchDurations, _ count: Int) -> Void
    /// Told, right after a commit, when the lines of the batch were received, and when a writer took the batch.
    package let onCommitted: @Sendable (_ sequences: Range<UInt64>, _ arrivals: [Arrival], _ takenAt: Timestamp) -> Void

    /// Months after that of `now` (microseconds since 1970) that have their partitions: fewer as time passes and nobody
    /// makes further ones.
    package func monthsAhead(at now: Int64) -> Int {
        guard let last = lastMonthReady.withLock({ $0 }), let current = PartitionMonth(microseconds: now) else {
            return 0
        }
        return max(0, current.distance(to: last))
    }

    /// As the maintenance last saw them.
    private let versions = Mutex<[VersionProgress]>([])

    /// Of the live version of a pack, or of the one being built; nil when there is none.
    package func progress(of pack: String, _ state: PackVersion.State) -> VersionProgress? {
        versions.withLock { $0.first { $0.pack == pack && $0.state == state } }
    }

    func record(_ progress: [VersionProgress]) {
        versions.withLock { $0 = progress }
    }

    /// Why a batch is tried again.
    package static let retryReasons = SQLStateClass.allCases
    private let retryCounts = SQLStateClass.allCases.map { _ in MetricCounter() }

    private let findUncommitted = Mutex<@Sendable () -> Uncommitted>({ Uncommitted() })

    package init(
        writing: WritingMonitor = WritingMonitor(), tenants: Tenants = Tenants(),
        onBatch: @escaping @Sendable (BatchDurations, Int) -> Void = { _, _ in },
        onCommitted: @escaping @Sendable (Range<UInt64>, [Arrival], Timestamp) -> Void = { _, _, _ in }
    ) {
        self.writing = writing
        self.tenants = tenants
        self.onBatch = onBatch
        self.onCommitted = onCommitted
    }

    /// Lines in the spool that are not known to be in the database.
    package func uncommitted() -> Uncommitted { findUncommitted.withLock { $0 }() }

    func setUncommitted(_ find: @escaping @Sendable () -> Uncommitted) {
        findUncommitted.withLock { $0 = find }
    }

    /// Batches tried again for `reason`.
    package func retries(_ reason: SQLStateClass) -> MetricCounter {
        retryCounts[SQLStateClass.allCases.firstIndex(of: reason) ?? 0]
    }

    func record(_ outcome: BatchOutcome) {
        Self.add(outcome.events, to: events)
        Self.add(outcome.conversations, to: conversations)
        refused.add(outcome.refused)
        for lines in outcome.tenants {
            tenants.committed.add(lines.committed, tenant: lines.tenant)
            if lines.dead > 0 { tenants.dead.add(lines.dead, tenant: lines.tenant) }
        }
        batches.add(1)
    }

    private static func add(_ counts: BatchOutcome.Counts, to kind: Kind) {
        kind.committed.add(counts.committed)
        kind.duplicates.add(counts.duplicates)
        kind.dead.add(counts.dead)
    }
}

/// How long the parts of a batch's transaction took.
package struct BatchDurations: Sendable {
    package var copy: Duration
    /// Folding the rows and writing the deltas.
    package var projection: Duration
    package var commit: Duration
}

/// Neighbouring lines of a batch that were received at the same time.
package struct Arrival: Sendable, Equatable {
    package var receivedAt: Timestamp
    package var sequences: Range<UInt64>
}
