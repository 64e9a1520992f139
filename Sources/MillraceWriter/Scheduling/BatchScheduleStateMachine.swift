internal import MillraceChannels
import MillraceEvent

/// Decides which writer gets which batch, and when. A value without I/O and clock.
///
/// A writer asks for a batch when it is free: a lone event goes at once, and while the first writer is busy, or `BatchPace`
/// holds few lines back, a bigger batch gathers by itself. The others are helpers: they join once `joinRows` lines wait, or
/// lines have waited for `patience` because the first writer is stuck. Below that they would only cost: more and smaller
/// transactions, which wait for each other's locks.
///
/// A batch that fails is set aside for a while, and others go on past it: up to `stuckMax` batches, then only these are
/// tried. One of them is tried at a time, and never twice in a row while others wait.
struct BatchScheduleStateMachine: Sendable {
    enum Action: Sendable, Equatable {
        /// Give a writer a batch of what waits, of so many rows at most; `batchTaken` says how many it got.
        case take(rowsMax: Int, writer: Int)
        /// Give a writer a batch that was set aside.
        case retry(Batch, writer: Int)
        /// Send a writer away: there is nothing for it any more.
        case dismiss(writer: Int)
        /// Ask again at this instant, should nothing happen before: something is due by time alone.
        case wake(at: ContinuousClock.Instant)
    }

    private struct SetAside: Sendable {
        var batch: Batch
        var until: ContinuousClock.Instant
    }

    private var rowsMax: Int
    private let writers: Int
    private var joinRows: Int
    private let patience: Duration
    private var stuckMax: Int
    private var pace: BatchPace
    /// Writers that want a batch, in the order of asking. Number 0 is the first writer.
    private var asking: [Int] = []
    private var isOpen = false
    private var isFinished = false
    /// Since when something waits, or since the last batch was taken, if later; nil when nothing waits.
    private var waitingSince: ContinuousClock.Instant?
    /// The instant of the last `wake` that is still to come.
    private var alarm: ContinuousClock.Instant?
    private var aside: [SetAside] = []
    /// First sequences of the batches that were set aside before and are with a writer.
    private var retried: Set<UInt64> = []
    /// Whether the last batch handed out was one that had been set aside.
    private var wasRetry = false
    /// Batches that are with a writer.
    private(set) var takenCount = 0

    /// `rowsMax`: lines of a batch. `writers`: how many share what waits; above a quarter of `rowsMax` none takes more than
    /// its share, so that all end at about the same time. `joinRows`: lines that wait when helpers join; never more than a
    /// batch. `patience`: how long lines wait for the first writer before a helper takes them. `stuckMax`: batches that
    /// are set aside at most.
    init(
        rowsMax: Int, writers: Int = 1, joinRows: Int = 1, patience: Duration = .milliseconds(200),
        pace: BatchPace = BatchPace(), stuckMax: Int = 16
    ) {
        self.rowsMax = rowsMax
        self.writers = writers
        self.joinRows = min(joinRows, rowsMax)
        self.patience = patience
        self.stuckMax = stuckMax
        self.pace = pace
    }

    /// For batches from now on.
    mutating func boundsChanged(rowsMax: Int, joinRows: Int, pace: BatchPace, stuckMax: Int) {
        self.rowsMax = rowsMax
        self.joinRows = min(joinRows, rowsMax)
        self.pace = self.pace.going(on: pace)
        self.stuckMax = stuckMax
    }

    /// Lines of the batches that are set aside and not with a writer.
    var asideCount: Int { aside.reduce(0) { $0 + $1.batch.count } }

    /// Whether so much waits that helpers join.
    func isHelpWanted(_ waiting: ExtentChannel.Waiting) -> Bool { waiting.rows >= joinRows }
}

extension BatchScheduleStateMachine {
    /// Writers may take batches (the ledger has been read), or not (PostgreSQL is down).
    mutating func gateChanged(isOpen: Bool) {
        self.isOpen = isOpen
    }

    /// A writer is free and wants a batch.
    mutating func writerAsked(_ writer: Int) {
        precondition(!asking.contains(writer), "a writer asks for one batch at a time")
        asking.append(writer)
    }

    /// A writer that asked wants nothing any more. False when it has been answered already.
    mutating func writerLeft(_ writer: Int) -> Bool {
        guard let place = asking.firstIndex(of: writer) else { return false }
        asking.remove(at: place)
        return true
    }

    /// `take` was carried out: a batch of `rows`.
    mutating func batchTaken(rows: Int, at now: ContinuousClock.Instant) {
        takenCount += 1
        pace.batchTaken(rows: rows, at: now)
        waitingSince = nil
        wasRetry = false
    }

    /// A batch failed; it comes again as `parts` after `until`. The bound is on new batches, so this is never refused.
    mutating func batchFailed(_ batch: Batch, parts: [Batch], until: ContinuousClock.Instant) {
        retried.remove(batch.sequences.lowerBound)
        aside += parts.map { SetAside(batch: $0, until: until) }
    }

    /// A batch needs no further try.
    mutating func batchCommitted(_ batch: Batch) {
        retried.remove(batch.sequences.lowerBound)
    }

    /// A writer is done with the batch that it took, in whatever way.
    mutating func batchEnded() {
        takenCount -= 1
    }

    /// What is set aside is worth a try at once.
    mutating func retryBecameWorthwhile(at now: ContinuousClock.Instant) {
        for index in aside.indices { aside[index].until = now }
    }

    /// The time of a `wake` has come.
    mutating func woken(at instant: ContinuousClock.Instant) {
        if let alarm, alarm <= instant { self.alarm = nil }
    }

    /// The daemon stops: nothing is held back any more.
    mutating func drainBegan() {
        pace = BatchPace()
    }

    /// The stage ends: every writer is sent away.
    mutating func finished() {
        isFinished = true
    }
}

extension BatchScheduleStateMachine {
    /// What is to be done next while `waiting` waits in the channel; nil when nothing is, until the next event. Called
    /// again after each action.
    mutating func next(_ waiting: ExtentChannel.Waiting, at now: ContinuousClock.Instant) -> Action? {
        if isFinished { return asking.isEmpty ? nil : .dismiss(writer: asking.removeFirst()) }
        guard isOpen, waiting.rows > 0 else {
            waitingSince = nil
            return retry(waiting, now) ?? wake(waiting, now)
        }
        waitingSince = waitingSince ?? now
        if let retry = retry(waiting, now) { return retry }
        guard let place = taker(of: waiting, now) else { return wake(waiting, now) }
        return .take(rowsMax: share(of: waiting), writer: asking.remove(at: place))
    }

    /// The place among those who ask of who takes a batch of what waits, if anyone may.
    private func taker(of waiting: ExtentChannel.Waiting, _ now: ContinuousClock.Instant) -> Int? {
        guard isRoom, pace.decide(waiting, at: now) == .take else { return nil }
        if let first = asking.firstIndex(of: 0) { return first }
        let isLate = waitingSince.map { now - $0 >= patience } ?? false
        return isHelpWanted(waiting) || isLate ? asking.indices.first : nil
    }

    /// Rows that one writer takes at most.
    private func share(of waiting: ExtentChannel.Waiting) -> Int {
        min(rowsMax, max(rowsMax / 4, waiting.rows / writers))
    }

    /// Whether one more batch may fail.
    private var isRoom: Bool { aside.count + retried.count < stuckMax }

    /// The place of who takes a batch that was set aside, if anyone may.
    private func retaker(_ waiting: ExtentChannel.Waiting) -> Int? {
        guard isOpen, retried.isEmpty else { return nil }
        guard !isRoom || !wasRetry || waiting.rows == 0 else { return nil }
        return asking.indices.last
    }

    private mutating func retry(_ waiting: ExtentChannel.Waiting, _ now: ContinuousClock.Instant) -> Action? {
        guard let place = retaker(waiting), let due = aside.indices.min(by: { aside[$0].until < aside[$1].until }),
            aside[due].until <= now
        else { return nil }
        let batch = aside.remove(at: due).batch
        retried.insert(batch.sequences.lowerBound)
        takenCount += 1
        wasRetry = true
        return .retry(batch, writer: asking.remove(at: place))
    }

    /// For when a writer may have what waits now, or was set aside; nil when that was said before, or when there is nothing
    /// to be had.
    private mutating func wake(_ waiting: ExtentChannel.Waiting, _ now: ContinuousClock.Instant) -> Action? {
        guard isOpen, !asking.isEmpty else { return nil }
        var due = retaker(waiting) == nil ? nil : aside.map(\.until).min()
        if let since = waitingSince, isRoom {
            let new =
                switch pace.decide(waiting, at: now) {
                case .wait(until: let instant): instant
                // Only helpers ask.
                case .take: since + patience
                }
            due = due.map { min($0, new) } ?? new
        }
        guard let due, alarm.map({ due < $0 }) ?? true else { return nil }
        alarm = due
        return .wake(at: due)
    }
}
