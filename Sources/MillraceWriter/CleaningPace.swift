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
    /// Rows of other daemons, or of an earlier run of this one, may wait.
    private var hasOthers = false
    /// The last time emptied them of many.
    private var wasMany = false
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
        let pending = rows - (cleaned?.rows ?? 0) + (hasOthers ? 1 : 0)
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
        wasMany = rows - (cleaned?.rows ?? 0) >= manyRows
        hasOthers = false
        cleaned = (rows, now)
        pendingSince = nil
    }

    /// A daemon that was killed leaves rows there of which nobody else knows: the lists are emptied once, though this one
    /// may commit nothing.
    mutating func othersMayWait() {
        hasOthers = true
    }

    /// Another daemon empties the lists, of these rows too; what came behind its back is due as if it had come now.
    mutating func leftToOthers(at now: ContinuousClock.Instant) {
        if pendingSince != nil { pendingSince = now }
    }

    /// Whether the daemon that has emptied them is the one to do it next: in a flood, where the others would only come in
    /// between. Else whoever has rows there may.
    func keepsTurn(at now: ContinuousClock.Instant) -> Bool {
        guard wasMany, let cleaned else { return false }
        return now - cleaned.instant < interval * 2
    }
}
