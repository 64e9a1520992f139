internal import MillraceChannels
internal import MillraceEvent
internal import NIOCore

/// Decides when the batches of one connection go to the spool: at once, or again after it refused them.
struct TCPSubmissions {
    enum Action {
        case submit(TCPBatch, id: UInt64)
        case awaitChannel
        case askSpool
    }

    private enum Channel {
        case writable, full, awaited
    }

    private enum Spool: Equatable {
        case taking
        case refusing(retryAt: NIODeadline)
        case asking
        /// The daemon stops: the spool refuses whatever comes.
        case draining
    }

    var retryInterval: TimeAmount
    private var channel = Channel.writable
    private var spool = Spool.taking
    /// Batches that go next, or that the spool refused, in the order in which it did.
    private var unsent = CircularBuffer<(id: UInt64, batch: TCPBatch)>(initialCapacity: 1)
    /// Submissions without an outcome.
    private(set) var flightCount = 0

    init(retryInterval: TimeAmount) {
        self.retryInterval = retryInterval
    }

    /// There is room in the channel, and nothing that was refused waits.
    var takesMore: Bool { channel == .writable && spool == .taking }

    /// When `deadlineElapsed` is to come.
    var retryAt: NIODeadline? { if case .refusing(let retryAt) = spool { retryAt } else { nil } }

    /// The spool will never take the batch whose answer comes next. `oldest`: its id; nil when none is awaited.
    func isLost(oldest: UInt64?) -> Bool {
        guard spool == .draining, !unsent.isEmpty else { return false }
        return oldest.map { oldest in unsent.contains { $0.id == oldest } } ?? true
    }

    mutating func append(_ batch: TCPBatch, id: UInt64) {
        unsent.append((id, batch))
    }

    mutating func channelFilled() {
        if channel == .writable { channel = .full }
    }

    mutating func channelEmptied() {
        channel = .writable
    }

    /// The spool answered a submission, or refused it.
    mutating func outcomeReceived() {
        flightCount -= 1
    }

    mutating func refused(_ batch: TCPBatch, id: UInt64, _ refusal: SpoolRefusal, at now: NIODeadline) {
        unsent.append((id, batch))
        if refusal == .draining {
            spool = .draining
        } else if spool == .taking {
            spool = .refusing(retryAt: now + retryInterval)
        }
    }

    /// `refusal`: what the spool answers everyone now; one that drains is offered all once more.
    mutating func spoolAsked(_ refusal: SpoolRefusal?, at now: NIODeadline) {
        guard spool == .asking else { return }
        let refuses = refusal != nil && refusal != .draining
        spool = refuses ? .refusing(retryAt: now + retryInterval) : .taking
    }

    mutating func deadlineElapsed(at now: NIODeadline) {
        if case .refusing(let retryAt) = spool, retryAt <= now { spool = .asking }
    }

    /// Drops the batches that were not submitted. Returns how many lines those had.
    @discardableResult
    mutating func removeAll() -> Int {
        defer { unsent.removeAll() }
        spool = .taking
        return unsent.reduce(0) { $0 + $1.batch.lineCount }
    }

    mutating func next() -> Action? {
        switch spool {
        case .taking:
            if channel == .full {
                channel = .awaited
                return .awaitChannel
            }
            guard let (id, batch) = unsent.popFirst() else { return nil }
            flightCount += 1
            return .submit(batch, id: id)
        case .asking: return .askSpool
        case .refusing, .draining: return nil
        }
    }
}

extension Submission.Outcome {
    /// Nil where the lines are not known to be committed.
    var committed: (sequences: Range<UInt64>, lines: CommittedLines)? {
        if case .committed(let sequences, let lines) = self { (sequences, lines) } else { nil }
    }
}
