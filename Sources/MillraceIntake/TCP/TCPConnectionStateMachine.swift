internal import MillraceAccess
internal import MillraceChannels
internal import MillraceEvent
internal import NIOCore

/// Decides about one TCP connection: when its lines are cut and submitted, when it is read, what is answered in which order,
/// and when it ends. What happened comes in; `next` says the one thing to do now, and is asked until there is nothing.
///
/// Batches are answered in the order in which they came, whatever order their outcomes come in. What was received is never
/// dropped while it waits: it is offered again. Bytes and sockets are elsewhere; times are arguments.
struct TCPConnectionStateMachine: ~Copyable {
    private var bounds: TCPConnectionBounds
    private var state: State
    private var mode = Mode.awaitingFirstLine
    private var input = Input.flowing
    private var lines = Lines.cut
    private var place: Place
    private var isOutputFull = false
    private var isReadAsked = false
    /// Until when nothing is taken for the sender's rate.
    private var limitedUntil: NIODeadline?
    private var limitTold = LimitTold.no

    private var answers = TCPAnswerQueue()
    private var submissions: TCPSubmissions
    private var idleSince: NIODeadline
    /// Until when the first line must come; nil where it may take its time.
    private let greetingBy: NIODeadline?
    private var closeAt: NIODeadline?
    private var memory: TCPConnectionMemory
    private var memoryAt: NIODeadline?

    /// `refusal`: why the connection has no place, and is only told so.
    init(bounds: TCPConnectionBounds, refusal: TCPConnectionEnd? = nil, at now: NIODeadline) {
        self.bounds = bounds
        submissions = TCPSubmissions(retryInterval: bounds.retryInterval)
        memory = TCPConnectionMemory(bounds.memory)
        place = refusal == nil ? .connection : .none
        state = refusal.map { .ending($0) } ?? .open
        idleSince = now
        greetingBy = bounds.greetingTimeout.map { now + $0 }
    }

    // MARK: State

    /// Another batch may be cut from what was received.
    var mayCut: Bool {
        let isHeldBack =
            !submissions.takesMore || isOutputFull || answers.byteCount >= bounds.inflightBytesMax
            || limitedUntil != nil
        switch state {
        case .open: return !isHeldBack
        case .closed: return !isHeldBack && mode == .oneWay
        case .refusing, .spent, .ending, .lingering, .closing: return false
        }
    }

    /// Received bytes are still cut into lines.
    var takesBytes: Bool {
        switch state {
        case .open, .spent: true
        case .refusing, .ending, .lingering, .closing, .closed: false
        }
    }

    /// What is left free of the memory budget is too little to hold a buffer that is larger than what is in it.
    var isMemoryScarce: Bool { memory.isScarce }

    /// Counts as one of the intake's connections.
    var hasPlace: Bool { place == .connection }

    private var mayRead: Bool {
        if case .refusing = state { return false }
        guard takesBytes else { return true }
        guard case .flowing = input else { return false }
        return mayCut && !memory.isHeldBack
    }

    private var acknowledgement: Submission.Acknowledgement {
        switch mode {
        case .awaitingFirstLine, .oneWay: .spooled
        case .greeted(let acks), .answering(let acks): acks
        }
    }

    private var isClosed: Bool { if case .closed = state { true } else { false } }

    /// When `deadlineElapsed` is to come, at the latest.
    var deadline: NIODeadline? {
        var first = closeAt ?? .distantFuture
        if let memoryAt { first = min(first, memoryAt) }
        if let retryAt = submissions.retryAt { first = min(first, retryAt) }
        if let limitedUntil { first = min(first, limitedUntil) }
        switch state {
        case .refusing(_, let at): first = min(first, at)
        case .spent(_, let end?): first = min(first, end)
        case .open where mode == .awaitingFirstLine: first = min(first, greetingBy ?? .distantFuture)
        default: break
        }
        if case .ended(let waitEnd?) = input { first = min(first, waitEnd) }
        if case .open = state, let idleTimeout = bounds.idleTimeout { first = min(first, idleSince + idleTimeout) }
        return first == .distantFuture ? nil : first
    }

    // MARK: Events

    /// These are in force from now on.
    mutating func boundsChanged(_ bounds: TCPConnectionBounds) {
        self.bounds = bounds
        submissions.retryInterval = bounds.retryInterval
    }

    mutating func bytesReceived(at now: NIODeadline) {
        idleSince = now
        lines = .uncut
    }

    /// The socket is to be read. Returns whether at once; else `takeRead` says when.
    mutating func readAsked() -> Bool {
        isReadAsked = !mayRead
        return !isReadAsked
    }

    /// Whether a read that was held back is to go on now.
    mutating func takeRead() -> Bool {
        guard isReadAsked, mayRead else { return false }
        isReadAsked = false
        return true
    }

    /// The first line that is not empty was cut.
    mutating func firstLineReceived(_ line: TCPFirstLine) {
        precondition(mode == .awaitingFirstLine, "only the first line may be a greeting")
        switch line {
        case .event: mode = .oneWay
        case .greeting(let greeting): mode = .greeted(greeting.acks)
        case .invalidGreeting(let message): state = .ending(.invalidGreeting(message))
        case .httpRequest: state = .ending(.httpRequest)
        case .tlsHello: state = .ending(.tlsHello)
        }
    }

    /// The first line is not one that is let in. `end`: what is said at that time; nil: nothing.
    mutating func accessRefused(_ end: TCPConnectionEnd?, at time: NIODeadline) {
        state = .refusing(end, at: time)
    }

    /// Its key is no longer in force: no further line is taken. Returns false where it ends anyway, and what it sent whole
    /// before still goes in.
    mutating func accessEnded(_ end: TCPConnectionEnd, at now: NIODeadline) -> Bool {
        guard case .open = state else { return false }
        state = .spent(end, by: now + bounds.endedKeyWait)
        return true
    }

    /// More came than the sender's rate allows. Returns whether it is held back: what a daemon that stops has read goes in.
    mutating func rateExceeded(until time: NIODeadline) -> Bool {
        if case .quiescing = input { return false }
        limitedUntil = time
        if limitTold == .no { limitTold = .due }
        return true
    }

    /// Lines were cut, up to the bounds of a batch or to the last whole line.
    mutating func linesReceived(_ cut: TCPLineReader.Cut) {
        if cut.isLast || cut.isSpent { lines = .cut }
        if cut.isSpent, case .open = state {
            state = .spent(.tooManyRefusedLines(max: bounds.refusedLinesMax), by: nil)
        }
        guard let batch = cut.batch else { return }
        let id = answers.append(batch)
        if !batch.records.isEmpty { submissions.append(batch, id: id) }
    }

    /// The record channel took a batch, and no further one fits.
    mutating func channelFilled() {
        submissions.channelFilled()
    }

    mutating func channelEmptied() {
        submissions.channelEmptied()
    }

    /// A batch is durable, or committed; then this became of its lines.
    mutating func ackReady(_ id: UInt64, _ committed: (sequences: Range<UInt64>, lines: CommittedLines)?) {
        submissions.outcomeReceived()
        if committed == nil, acknowledgement == .committed {
            // The daemon stops before the commit, or can't say what became of it. The client keeps its last true ack, and sends these again.
            if !isClosed { state = .closing }
            return
        }
        answers.ackReady(id, committed)
    }

    mutating func batchRefused(_ batch: TCPBatch, id: UInt64, _ refusal: SpoolRefusal, at now: NIODeadline) {
        submissions.outcomeReceived()
        guard !isClosed || mode == .oneWay else { return }
        submissions.refused(batch, id: id, refusal, at: now)
    }

    /// `refusal`: what the spool answers everyone now; nil when it takes submissions.
    mutating func spoolAsked(_ refusal: SpoolRefusal?, at now: NIODeadline) {
        submissions.spoolAsked(refusal, at: now)
    }

    mutating func writabilityChanged(_ isWritable: Bool) {
        isOutputFull = !isWritable
    }

    /// The connection holds `bufferBytes` of memory for what was received; in it, `lineBytes` of a line that is not whole,
    /// after `lineNumber` whole ones.
    mutating func bytesHeld(
        _ bufferBytes: Int, lineBytes: Int, lineNumber: UInt64, at now: @autoclosure () -> NIODeadline
    ) {
        guard takesBytes || isClosed else { return }
        let verdict = memory.holds(
            buffer: bufferBytes, lineBytes: mayCut ? lineBytes : 0, lineNumber: lineNumber, waiting: answers.byteCount,
            now: now())
        guard takesBytes else { return }
        switch verdict {
        case .fine: break
        case .lookAgain:
            memoryAt = memoryAt ?? now() + memory.interval(retry: bounds.retryInterval)
        case .giveUp: state = .ending(.memoryShort)
        }
    }

    /// The client sends nothing more.
    mutating func inputClosed(at now: NIODeadline) {
        input = .ended(waitEnd: nil)
        switch state {
        case .open: lines = .uncut
        case .refusing, .spent, .closed: break
        case .ending, .lingering, .closing: close(by: now + bounds.lingerTimeout)
        }
    }

    /// The connection got a place among those who wait for commits.
    mutating func waitersJoined() {
        place = .waiter
    }

    mutating func drainRequested(at now: NIODeadline) {
        if case .flowing = input { input = .quiescing }
        limitedUntil = nil
        close(by: now + bounds.drainTimeout)
    }

    /// All that was written went out, and the end of the output after it.
    mutating func outputClosed(at now: NIODeadline) {
        guard case .lingering = state else { return }
        if case .ended = input { state = .closing } else { close(by: now + bounds.lingerTimeout) }
    }

    mutating func socketClosed() {
        state = .closed
        (closeAt, memoryAt, input) = (nil, nil, .ended(waitEnd: nil))
        isOutputFull = false
        // A client that gets no answers sends nothing again: what it sent whole goes in. One that gets acks will.
        if mode != .oneWay { submissions.removeAll() }
    }

    /// `deadline` has come.
    mutating func deadlineElapsed(at now: NIODeadline) {
        if let at = memoryAt, at <= now { memoryAt = nil }
        if let until = limitedUntil, until <= now { limitedUntil = nil }
        submissions.deadlineElapsed(at: now)
        switch state {
        case .closed: return
        case .spent(let end, let time?) where time <= now: state = .ending(end)
        case .open where mode == .awaitingFirstLine && greetingBy ?? .distantFuture <= now:
            state = .ending(TCPConnectionEnd(.unauthenticated))
        default: break
        }
        if case .open = state, let idleTimeout = bounds.idleTimeout, idleSince + idleTimeout <= now { idled(at: now) }
        var end = closeAt
        if case .ended(let waitEnd?) = input { end = min(end ?? waitEnd, waitEnd) }
        guard let end, end <= now else { return }
        closeAt = nil
        if case .ended = input { input = .ended(waitEnd: nil) }
        state = .closing
    }

    /// Nothing came for too long; a connection that is held back, or waits for its acks, may go on.
    private mutating func idled(at now: NIODeadline) {
        guard mayRead, answers.isEmpty else {
            idleSince = now
            return
        }
        if case .answering = mode { state = .ending(.idle) } else { state = .ending(nil) }
    }

    private mutating func close(by end: NIODeadline) {
        guard !isClosed else { return }
        closeAt = min(closeAt ?? end, end)
    }

    // MARK: Actions

    /// The next thing to do; nil when nothing is until something happens. What it says counts as done.
    mutating func next(at now: NIODeadline) -> Action? {
        if let action = nextOfBatches() ?? nextOfPlace(at: now) { return action }
        switch state {
        case .open:
            guard mayCut else { return nil }
            if case .uncut = lines { return cut() }
            if case .flowing = input { return nil }
            return answers.isEmpty ? end(nil, at: now) : nil
        case .spent(let end, _): return answers.isEmpty ? self.end(end, at: now) : nil
        case .refusing(let end, let time):
            if lines != .dropped {
                lines = .dropped
                return .dropLines
            }
            guard time <= now else { return nil }
            if let end { return self.end(end, at: now) }
            state = .lingering
            return .close
        case .ending(let end): return self.end(end, at: now)
        case .lingering: return nil
        case .closing:
            state = .lingering
            return .close
        case .closed:
            if mayCut, case .uncut = lines { return cut() }
            guard mayCut || mode != .oneWay, lines != .dropped else { return nil }
            lines = .dropped
            return .dropLines
        }
    }

    private func cut() -> Action {
        if case .ended = input, case .open = state { .cut(takesLast: true) } else { .cut(takesLast: false) }
    }

    private mutating func end(_ end: TCPConnectionEnd?, at now: NIODeadline) -> Action {
        state = .lingering
        memoryAt = nil
        memory.release()
        lines = .dropped
        close(by: now + bounds.drainTimeout)
        return .end(end)
    }

    private mutating func nextOfBatches() -> Action? {
        if case .greeted(let acks) = mode {
            mode = .answering(acks)
            return .greet
        }
        if limitTold == .due, case .answering = mode, takesBytes {
            limitTold = .yes
            return .tellLimit
        }
        if let answer = answers.takeNext(), takesBytes, case .answering = mode { return .answer(answer) }
        if submissions.isLost(oldest: answers.oldest) {
            if !isClosed { state = .closing }
            answers.removeAll()
            let lineCount = submissions.removeAll()
            return mode == .oneWay ? .abandon(lineCount: lineCount) : nil
        }
        switch submissions.next() {
        case .submit(let batch, let id): return .submit(batch, id: id, acknowledgement)
        case .awaitChannel: return .awaitChannel
        case .askSpool: return .askSpool
        case nil: return nil
        }
    }

    /// A client that waits for commits and has said that it sends nothing more may be gone: its connection counts among
    /// those, if there is room, and waits no longer than they may.
    private mutating func nextOfPlace(at now: NIODeadline) -> Action? {
        switch place {
        case .none: return nil
        case .waiter:
            guard submissions.flightCount == 0, isClosed || answers.isEmpty else { return nil }
            place = .none
            return .leaveWaiters
        case .connection:
            if isClosed {
                guard mode != .oneWay || answers.isEmpty && lines == .dropped else { return nil }
                place = .none
                return .leavePlace
            }
            guard takesBytes, case .ended(nil) = input, acknowledgement == .committed, !answers.isEmpty else {
                return nil
            }
            input = .ended(waitEnd: now + bounds.committedWait)
            return .joinWaiters
        }
    }
}
