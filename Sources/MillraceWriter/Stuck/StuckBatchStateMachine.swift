import MillracePostgres

/// Decides what becomes of batches that fail: they are set aside, so that others go on past them, and tried again later
/// and later. A value without I/O and clock.
///
/// 1. A batch that waited for too long (a lock, an answer) is tried again in smaller ones.
/// 2. What a trigger, a rule or a conversion says is looked for in single rows after `rowErrorTries`.
/// 3. Refused rows become dead letters only when the same table took other rows: in the same batch, or in one that was
///    begun after the refusal. Else it is the table that refuses, and nothing is moved.
struct StuckBatchStateMachine: Sendable {
    enum Failure: Sendable, Equatable {
        /// No row of the batch went into this table.
        case tableRefused(PartitionedTable)
        /// A lock or an answer did not come in time.
        case waited
        case other
    }

    private struct Entry {
        var sequences: Range<UInt64>
        var tries: Int
        var since: ContinuousClock.Instant
        var refusedAt: [PartitionedTable: ContinuousClock.Instant]
        var fault: WritingFault
    }

    private let retryMin: Duration
    private let retryMax: Duration
    private let rowErrorTries: Int
    /// By first sequence.
    private var entries: [UInt64: Entry] = [:]
    /// When the last batch was begun that put rows into a table.
    private var tookAt: [PartitionedTable: ContinuousClock.Instant] = [:]

    init(retryMin: Duration, retryMax: Duration, rowErrorTries: Int) {
        self.retryMin = retryMin
        self.retryMax = retryMax
        self.rowErrorTries = rowErrorTries
    }

    var count: Int { entries.count }
    var lines: Int { entries.values.reduce(0) { $0 + $1.sequences.count } }
    /// Of the batch that has been stuck for longest.
    var fault: WritingFault? { entries.values.min { $0.since < $1.since }?.fault }

    /// How often a batch has failed.
    func tries(of sequences: Range<UInt64>) -> Int { entries[sequences.lowerBound]?.tries ?? 0 }

    /// How far the next try of a batch goes.
    func care(for sequences: Range<UInt64>) -> BatchCare {
        guard let entry = entries[sequences.lowerBound] else { return BatchCare(searchesRows: rowErrorTries <= 1) }
        let takers = entry.refusedAt.filter { table, refusedAt in tookAt[table].map { $0 > refusedAt } ?? false }
        return BatchCare(takers: Set(takers.keys), searchesRows: entry.tries + 1 >= rowErrorTries)
    }

    /// A batch failed that will be tried again as `parts`: itself, or smaller ones. Returns the wait before that.
    mutating func batchFailed(
        _ parts: [Range<UInt64>], _ failure: Failure, _ fault: WritingFault, at now: ContinuousClock.Instant
    ) -> Duration {
        guard let first = parts.first?.lowerBound else { return retryMin }
        let old = entries.removeValue(forKey: first)
        let tries = (old?.tries ?? 0) + 1
        var refusedAt = old?.refusedAt ?? [:]
        if case .tableRefused(let table) = failure, refusedAt[table] == nil { refusedAt[table] = now }
        for part in parts {
            entries[part.lowerBound] = Entry(
                sequences: part, tries: tries, since: old?.since ?? now, refusedAt: refusedAt, fault: fault)
        }
        return min(retryMax, retryMin * (1 << min(tries - 1, 30)))
    }

    /// A batch is in the ledger, having put rows into `tables`. Returns whether another one that was refused is worth a
    /// try now.
    mutating func batchCommitted(
        _ sequences: Range<UInt64>, into tables: Set<PartitionedTable>, begunAt: ContinuousClock.Instant
    ) -> Bool {
        entries[sequences.lowerBound] = nil
        for table in tables { tookAt[table] = max(tookAt[table] ?? begunAt, begunAt) }
        return entries.values.contains { entry in
            tables.contains { table in entry.refusedAt[table].map { $0 < begunAt } ?? false }
        }
    }
}
