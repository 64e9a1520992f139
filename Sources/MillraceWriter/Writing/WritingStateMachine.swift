/// Decides whether events are being written, and when an operator is told that they are not. A value without I/O and
/// clock.
///
/// Nothing is written when lines wait and no batch was committed for `stallAfter`. Some are not written when batches that
/// were set aside have waited as long, while others were committed. Told once, then every `repeatAfter`; and once when it
/// is over.
struct WritingStateMachine: Sendable {
    enum Event {
        case batchCommitted
        /// A batch was tried and is to be tried again.
        case batchFailed(WritingFault)
        /// A batch waits inside the database for what `fault` names.
        case batchWaits(WritingFault)
        /// No session could be made, or the ledger's was lost.
        case databaseUnreachable(WritingFault)
        /// The ledger's session is there.
        case databaseReached
        /// The batches that are set aside now; with none, `fault` means nothing.
        case batchesStuck(count: Int, lines: Int, fault: WritingFault)
        /// Told again and again: how many lines wait now, those of stuck batches and of batches under way included.
        case timePassed(linesWaiting: Int)
    }

    /// What has stood still since when.
    struct Stall: Sendable, Equatable {
        var reach: WritingState.Reach
        var since: ContinuousClock.Instant
        var fault: WritingFault
        var linesWaiting: Int
    }

    enum Action: Equatable {
        case say(Stall)
        case unsay(Stall)
    }

    private struct Stuck {
        var count: Int
        var lines: Int
        var since: ContinuousClock.Instant
        /// When there came to be more of them.
        var grownAt: ContinuousClock.Instant
        var fault: WritingFault
    }

    private let stallAfter: Duration
    private let repeatAfter: Duration
    private var lastCommit: ContinuousClock.Instant?
    /// Since when lines wait that are not set aside.
    private var waitingSince: ContinuousClock.Instant?
    private var stuck: Stuck?
    /// The last failure since the last commit, and whether it was that of a batch.
    private var failure: (fault: WritingFault, isOfBatch: Bool)?
    private var saidAt: ContinuousClock.Instant?
    private(set) var stall: Stall?

    init(stallAfter: Duration, repeatAfter: Duration = .seconds(60)) {
        self.stallAfter = stallAfter
        self.repeatAfter = repeatAfter
    }

    /// True while the writers stand still until someone acts: until a batch is committed, or the session that was
    /// refused is there.
    var isStopped: Bool { failure?.fault.wantsOperator ?? false }

    mutating func apply(_ event: Event, at now: ContinuousClock.Instant) -> [Action] {
        switch event {
        case .batchCommitted:
            lastCommit = now
            failure = nil
        case .batchFailed(let fault), .batchWaits(let fault): failure = (fault, true)
        case .databaseUnreachable(let fault): failure = (fault, false)
        case .databaseReached: if failure?.isOfBatch == false { failure = nil }
        case .batchesStuck(let count, let lines, let fault):
            let grownAt = stuck.flatMap { $0.count >= count ? $0.grownAt : nil } ?? now
            stuck =
                count > 0
                ? Stuck(count: count, lines: lines, since: stuck?.since ?? now, grownAt: grownAt, fault: fault) : nil
        case .timePassed(let linesWaiting): return look(linesWaiting, now)
        }
        return []
    }

    private mutating func look(_ linesWaiting: Int, _ now: ContinuousClock.Instant) -> [Action] {
        let othersWait = linesWaiting > (stuck?.lines ?? 0)
        waitingSince = othersWait ? waitingSince ?? now : nil
        let previous = stall
        stall = found(linesWaiting, now)
        guard let stall else {
            saidAt = nil
            return previous.map { [.unsay($0)] } ?? []
        }
        if previous?.reach == stall.reach, let saidAt, now - saidAt < repeatAfter { return [] }
        saidAt = now
        return [.say(stall)]
    }

    private func found(_ linesWaiting: Int, _ now: ContinuousClock.Instant) -> Stall? {
        if let waitingSince {
            let since = max(waitingSince, lastCommit ?? waitingSince)
            if now - since >= stallAfter {
                return Stall(
                    reach: .nothing, since: since, fault: failure?.fault ?? stuck?.fault ?? .noAnswer,
                    linesWaiting: linesWaiting)
            }
        }
        guard let stuck, now - stuck.since >= stallAfter else { return nil }
        let since = max(stuck.since, lastCommit ?? stuck.since)
        if stuck.grownAt >= lastCommit ?? stuck.grownAt, now - since >= stallAfter {
            return Stall(
                reach: .nothing, since: since, fault: failure?.fault ?? stuck.fault, linesWaiting: linesWaiting)
        }
        guard since > stuck.since else { return nil }
        return Stall(reach: .some, since: stuck.since, fault: stuck.fault, linesWaiting: stuck.lines)
    }
}
