internal import MillraceChannels

/// When the next batch may be taken, by whichever writer: a budget for small transactions, which cost PostgreSQL and the
/// daemon much more than their rows do.
///
/// Few lines that nobody waits for start `smallInterval` after the batch before them, so that the first of them after a
/// quiet time goes at once and a dribble makes 1 / `smallInterval` transactions a second. Whoever waits for a line to be
/// committed, a backlog, and `fewRows` waiting lines are held to `interval` only, after a batch of `middling` rows:
/// fewer rows than that would not gather meanwhile, and more are worth a transaction.
///
/// Decides only; `BatchScheduleStateMachine` asks it.
struct BatchPace: Sendable {
    enum Decision: Sendable, Equatable {
        case take
        /// Not before this.
        case wait(until: ContinuousClock.Instant)
    }

    /// Of so many rows, one transaction more is cheap beside them.
    static let fewRows = 100
    /// Rows of a batch after which the next one waits for `interval` to pass.
    static let middling = 32..<2048

    private let interval: Duration
    private let smallInterval: Duration
    private var last: (instant: ContinuousClock.Instant, rows: Int)?

    /// From the start of a batch to the start of the next: `interval` after one of `middling` rows, `smallInterval` when
    /// few lines wait. Without them each batch may be taken at once.
    init(interval: Duration = .zero, smallInterval: Duration = .zero) {
        self.interval = interval
        self.smallInterval = smallInterval
    }

    /// `pace`, with the last batch of this one.
    func going(on pace: BatchPace) -> BatchPace {
        var pace = pace
        pace.last = last
        return pace
    }

    /// Whether a batch may be taken of what is `waiting` at `now`.
    func decide(_ waiting: ExtentChannel.Waiting, at now: ContinuousClock.Instant) -> Decision {
        guard let last, waiting.rows < Self.middling.upperBound else { return .take }
        var pause = Self.middling.contains(last.rows) ? interval : .zero
        if waiting.rows < Self.fewRows, !waiting.isAwaited, !waiting.hasBacklog { pause = max(pause, smallInterval) }
        let due = last.instant + pause
        return now >= due ? .take : .wait(until: due)
    }

    /// A batch of `rows` was taken.
    mutating func batchTaken(rows: Int, at now: ContinuousClock.Instant) {
        last = (now, rows)
    }
}
