/// When GIN's pending lists are emptied. Many rows: an `interval` after the last time, or in a lull, when nobody is in the
/// way. Few rows: once they have waited for `limit`, since a cleaning costs much beside them, and less for each the more of
/// them have a key in common.
struct CleaningPace: Sendable {
    enum Decision: Sendable, Equatable {
        case clean
        /// Nothing is to be done; look again after this.
        case look(after: Duration)
    }

    /// Time without a commit that is a lull.
    static let lull = Duration.milliseconds(200)

    private let interval: Duration
    private let limit: Duration
    private let manyRows: Int
    private var cleaned: (rows: Int, instant: ContinuousClock.Instant)?
    /// What the last look saw.
    private var seen: (rows: Int, instant: ContinuousClock.Instant)?
    /// Since when rows wait. Nil: none do.
    private(set) var pendingSince: ContinuousClock.Instant?

    /// `manyRows`: so many, or more, are many.
    init(interval: Duration, limit: Duration, manyRows: Int) {
        self.interval = interval
        self.limit = limit
        self.manyRows = manyRows
    }

    /// So many `rows` have been committed in all.
    mutating func looked(rows: Int, at now: ContinuousClock.Instant) -> Decision {
        let before = seen
        if before?.rows != rows { seen = (rows, now) }
        let pending = rows - (cleaned?.rows ?? 0)
        guard pending > 0 else {
            pendingSince = nil
            return .look(after: interval)
        }
        let since = pendingSince ?? now
        pendingSince = since
        guard pending >= manyRows else { return now - since >= limit ? .clean : .look(after: min(interval, limit)) }
        let isLull = before.map { $0.rows == rows && now - $0.instant >= Self.lull } ?? false
        let isDue = cleaned.map { now - $0.instant >= interval } ?? true
        return isLull || isDue ? .clean : .look(after: min(Self.lull, interval))
    }

    /// What had been committed when `rows` were, is sorted in.
    mutating func cleaned(rows: Int, at now: ContinuousClock.Instant) {
        cleaned = (rows, now)
        pendingSince = nil
    }
}
