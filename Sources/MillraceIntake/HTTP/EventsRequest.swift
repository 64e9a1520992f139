internal import MillraceChannels
internal import MillraceEvent
internal import NIOCore
internal import NIOHTTP1
internal import MillraceTelemetry

/// One `POST /v1/events`, from its head to its answer. Lives on its connection's event loop.
///
/// The body streams: text is made from it a piece at a time, cut into items, and each item is validated where it lies.
/// Accepted lines gather to one submission of about `submissionBytes`; one is on its way while the next one gathers,
/// and when both are full the connection is read no further. A small body is submitted whole, at its end.
///
/// What breaks before anything was submitted refuses the whole request. What breaks later is told in a 202: what was
/// accepted stays accepted, and the last rejected item says from where on nothing was taken.
final class EventsRequest {
    private struct Flight {
        var firstIndex: Int
        var rejectedBefore: Int
        var byteCount = 0
    }

    /// A submission that someone waits for to be committed, but not for ever.
    private struct CommitWait {
        var records: [RecordKind: Int]
        var isDurable = false
        /// The time is up: durable will do.
        var isOverdue = false
        var timer: Scheduled<Void>?
    }

    private let configuration: HTTPIntakeConfiguration
    private let channel: RecordChannel
    private let metrics: IntakeMetrics
    private let eventLoop: any EventLoop
    private let waiters: ConnectionLimiter
    /// `spooled` from when the client's wait for a commit had no place, or was over.
    private var acknowledgement: Submission.Acknowledgement

    private let parser = LoopParser.ofThisThread
    private var input = InputBuffer()
    private var decompressor: BodyDecompressor
    private var cutter: ItemCutter
    private var builder: RecordBuilder
    /// Of what gathers now.
    private var gathering = Flight(firstIndex: 0, rejectedBefore: 0)
    private var flight: Flight?
    /// Of the submissions so far, the one in flight included.
    private var flightNumber = 0
    private var commitWait: CommitWait?
    private var nextIndex = 0
    private var result: EventsAnswer
    private var breakage: (problem: HTTPProblem, at: Flight)?
    private let memory: MemoryReservation
    private var isBodyEnded = false
    private var isAllCut = false
    private var isChannelFull = false
    private var isPumping = false
    /// True when more of the body must come first.
    private var isWaiting = false

    /// Set once, when the request may be answered.
    private(set) var answer: HTTPAnswer?
    /// False while the body should be read no further.
    private(set) var mayRead = true
    /// Called after each change that was not caused by a call from outside.
    var onChange: () -> Void = {}

    init(
        head: EventsRequestHead, configuration: HTTPIntakeConfiguration, channel: RecordChannel,
        metrics: IntakeMetrics, waiters: ConnectionLimiter, eventLoop: any EventLoop
    ) {
        self.configuration = configuration
        self.channel = channel
        self.metrics = metrics
        self.waiters = waiters
        self.eventLoop = eventLoop
        memory = MemoryReservation(configuration.memory, for: .bodies)
        acknowledgement = head.acknowledgement
        decompressor = BodyDecompressor(
            encoding: head.encoding, outputBytesMax: configuration.decompressedBytesMax,
            ratioMax: configuration.compressionRatioMax)
        cutter = ItemCutter(format: head.format, itemBytesMax: configuration.limits.lineBytesMax)
        builder = RecordBuilder(tenant: configuration.tenant, receivedAt: .now)
        result = EventsAnswer(rejectedItemsMax: configuration.rejectedItemsMax)
    }

    /// True when some of the body is in the spool, or on its way there: the answer can't be a refusal any more.
    private var isPartlyTaken: Bool { result.accepted > 0 }

    /// The client waits for PostgreSQL, and for nothing that it would have to send.
    var isAwaitingCommit: Bool { acknowledgement == .committed && isBodyEnded && answer == nil }

    func bodyReceived(_ buffer: ByteBuffer) {
        guard breakage == nil else { return }
        decompressor.push(buffer)
        pump()
    }

    func bodyEnded() {
        isBodyEnded = true
        pump()
    }

    /// The body can't go on.
    func bodyBroke(_ problem: HTTPProblem) {
        guard breakage == nil, answer == nil, !isAllCut else { return }
        let isGathering = !builder.isEmpty
        let rejectedBefore = isGathering ? gathering.rejectedBefore : result.rejectedTotal
        breakOff(
            problem,
            at: Flight(firstIndex: isGathering ? gathering.firstIndex : nextIndex, rejectedBefore: rejectedBefore))
    }

    // MARK: Cutting

    private func pump() {
        guard !isPumping else { return }
        isPumping = true
        defer { isPumping = false }
        while breakage == nil, answer == nil, !isAllCut {
            guard makeRoom() else {
                mayRead = false
                return
            }
            step()
            if isWaiting { break }
        }
        mayRead = true
        memory.count(heldBytes)
        finishIfDone()
    }

    /// What counts of the memory budget.
    private var heldBytes: Int {
        let held = input.capacity + decompressor.heldBytes + builder.byteCount + (flight?.byteCount ?? 0)
        return held > MemoryBudget.freeBytes ? held : 0
    }

    /// Submits what gathered, if it is enough. False when it must wait for the submission before it.
    private func makeRoom() -> Bool {
        guard builder.byteCount >= configuration.submissionBytes else { return true }
        guard flight == nil, !isChannelFull else { return false }
        submit()
        return true
    }

    private func step() {
        isWaiting = false
        switch cutter.next(&input) {
        case .needsMore: refill()
        case let step: take(step)
        }
    }

    private func refill() {
        do throws(HTTPProblem) {
            if try decompressor.pull(into: &input) {
                guard memory.resize(to: heldBytes) else { throw HTTPProblem(.memoryBudget, MemoryShortage.message) }
                return
            }
            guard isBodyEnded else {
                isWaiting = true
                return
            }
            try decompressor.finish()
            take(cutter.last(&input))
            guard breakage == nil else { return }
            isAllCut = true
            if nextIndex == 0, !cutter.isDone {
                throw HTTPProblem(.emptyBody, "the body is empty; send an object, an array, or one object a line")
            }
        } catch {
            isAllCut = false
            bodyBroke(error)
        }
    }

    private func take(_ step: ItemCutter.Step) {
        switch step {
        case .needsMore: break
        case .broken(let problem): bodyBroke(problem)
        case .tooLong(let byteCount):
            reject(.lineTooLong(byteCount, max: configuration.limits.lineBytesMax))
        case .item(let bytes):
            do {
                let kind = try parser.validate(
                    bytes, limits: configuration.limits.event, receivedAt: builder.receivedAt)
                if builder.isEmpty {
                    gathering = Flight(firstIndex: nextIndex, rejectedBefore: result.rejectedTotal)
                }
                builder.append(kind, bytes, isPretty: cutter.format == .json)
                nextIndex += 1
                metrics[.http].linesReceived.add(1)
            } catch {
                reject(error)
            }
        }
    }

    private func reject(_ refusal: Refusal) {
        metrics[.http].linesReceived.add(1)
        metrics.refused(refusal.code).add(1)
        result.reject(nextIndex, refusal)
        nextIndex += 1
    }

    // MARK: Submitting

    private func submit() {
        flight = gathering
        flight?.byteCount = builder.byteCount
        let records = builder.take()
        flightNumber += 1
        let number = flightNumber
        let counts = Dictionary(records.map { ($0.kind, $0.count) }, uniquingKeysWith: +)
        builder.receivedAt = .now
        awaitCommit(number, counts)
        let eventLoop = eventLoop
        let bound = NIOLoopBound(self, eventLoop: eventLoop)
        var submission = Submission(records: records, acknowledgement: acknowledgement) { outcome in
            eventLoop.execute { bound.value.submissionEnded(number, counts, outcome) }
        }
        if acknowledgement == .committed {
            submission.onDurable = { eventLoop.execute { bound.value.submissionIsDurable(number) } }
        }
        guard channel.send(submission) == .pause, !isChannelFull else { return }
        isChannelFull = true
        channel.whenWritable {
            eventLoop.execute {
                bound.value.isChannelFull = false
                bound.value.proceed()
            }
        }
    }

    /// Takes a place among those who wait for a commit, or does without one.
    private func awaitCommit(_ number: Int, _ counts: [RecordKind: Int]) {
        guard acknowledgement == .committed else { return }
        guard waiters.enter() != nil else {
            acknowledgement = .spooled
            result.isCommitted = false
            return
        }
        let bound = NIOLoopBound(self, eventLoop: eventLoop)
        let timer = eventLoop.scheduleTask(in: TimeAmount(configuration.committedWait)) {
            bound.value.commitIsOverdue(number)
        }
        commitWait = CommitWait(records: counts, timer: timer)
    }

    private func submissionIsDurable(_ number: Int) {
        guard number == flightNumber, commitWait != nil else { return }
        commitWait?.isDurable = true
        stopWaitingIfDue()
    }

    private func commitIsOverdue(_ number: Int) {
        guard number == flightNumber, commitWait != nil else { return }
        commitWait?.isOverdue = true
        stopWaitingIfDue()
    }

    /// Answers as if nobody had asked for a commit; the place is kept until that has come.
    private func stopWaitingIfDue() {
        guard let wait = commitWait, wait.isDurable, wait.isOverdue else { return }
        commitWait = nil
        flight = nil
        acknowledgement = .spooled
        result.isCommitted = false
        settle(wait.records)
        proceed()
    }

    private func submissionEnded(_ number: Int, _ counts: [RecordKind: Int], _ outcome: Submission.Outcome) {
        let isLate = number < flightNumber || flight == nil
        if isLate || commitWait != nil { waiters.leave() }
        guard !isLate else { return }
        commitWait?.timer?.cancel()
        commitWait = nil
        let settled = flight
        flight = nil
        switch outcome {
        case .durable:
            if acknowledgement == .committed { result.isCommitted = false }
            settle(counts)
        case .committed(_, let duplicates, let dead):
            result.isCommitted = result.isCommitted ?? true
            result.duplicates += duplicates
            result.deadLetters += dead
            settle(counts)
        case .failed(let refusal):
            if let settled { breakOff(HTTPProblem(refusal), at: settled) }
        }
        proceed()
    }

    private func settle(_ counts: [RecordKind: Int]) {
        for (kind, count) in counts {
            metrics.accepted(kind).add(count)
            result.accepted += count
        }
    }

    private func proceed() {
        pump()
        onChange()
    }

    // MARK: Answering

    private func breakOff(_ problem: HTTPProblem, at place: Flight) {
        builder = RecordBuilder(tenant: configuration.tenant, receivedAt: .now)
        input.removeAll()
        decompressor.close()
        memory.count(heldBytes)
        breakage = (problem, place)
        mayRead = true
        finishIfDone()
    }

    private func finishIfDone() {
        guard answer == nil, flight == nil else { return }
        if let breakage {
            if isPartlyTaken {
                result.cutShort(
                    at: breakage.at.firstIndex, rejectedBefore: breakage.at.rejectedBefore, breakage.problem)
                answer = result.answer()
            } else {
                answer = HTTPAnswer(breakage.problem, retryAfterSeconds: configuration.retryAfterSeconds)
            }
        } else if isAllCut {
            guard builder.isEmpty else {
                if !isChannelFull { submit() }
                return
            }
            answer = result.answer()
        }
    }
}
