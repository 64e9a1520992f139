internal import MillraceChannels
internal import MillraceDialects
internal import MillraceEvent
internal import MillraceRoutes

/// How far a `POST /v1/events` is.
enum EventsProgress {
    /// More of the body is wanted.
    case reading
    /// The body should be read no further for now, because the spool can't keep up with it.
    case behind
    /// The body was read to its end, and the client waits for PostgreSQL.
    case awaitingCommit
    case answered(HTTPAnswer)
}

/// Decides about one `POST /v1/events`: when more of its body is cut, when the gathered lines are submitted, how long
/// it waits for a commit, and what it answers. No I/O: what the cutter found and how submissions ended comes in as
/// events.
///
/// One submission is out while the next one gathers. When both are full, or the record channel is, the body is held
/// back. What breaks before anything was accepted refuses the whole request; later, the answer says from where on
/// nothing was taken.
struct EventsRequestStateMachine {
    enum Action {
        /// Cut the next piece of what was received.
        case cut
        /// Submit the gathered lines, then call `submitted`.
        case submit
        /// Nothing can be done before the next event. `isBehind`: nor should more of the body be read.
        case rest(isBehind: Bool)
        case answer(HTTPAnswer)
    }

    /// How many lines of which kind a submission has.
    typealias Counts = [(kind: RecordKind, count: Int)]

    /// How a submission ended.
    enum Ended {
        /// The request no longer waited for it.
        case late
        case accepted(Counts)
        /// The lines gathered since then are not accepted either.
        case refused
    }

    /// Where a submission begins in the body.
    private struct Place {
        var index: Int
        /// Items rejected before it.
        var rejectedBefore: Int
        /// Items before it that a rule samples out.
        var sampledOutBefore: Int
    }

    private enum Body {
        /// All that was received has been cut.
        case starved
        case fed
        /// Its end came.
        case ended
        /// All of it is cut.
        case cut
        case broken(HTTPProblem, at: Place)
        case answered
    }

    /// The wait for a submission's commit, and its limit.
    private enum CommitWait {
        case none, waiting, durable
        /// The time is up: durable counts as accepted.
        case overdue
    }

    private struct Flight {
        var number: Int
        var place: Place
        var byteCount: Int
        var counts: Counts
        var items: ItemPlaces
        var commit: CommitWait
    }

    private let submissionBytes: Int
    private let retryAfterSeconds: Int
    private let audience: HTTPAudience
    /// How it is answered in a dialect of its own; nil: as events are.
    var reply: DialectReply?
    /// `spooled` from when the client's wait for a commit had no place, or was over.
    private(set) var acknowledgement: Submission.Acknowledgement
    private var body = Body.starved
    private var hasBodyEnded = false
    private var nextIndex = 0
    /// Where the lines being gathered begin in the body; nil while there are none.
    private var gathering: Place?
    /// Which items those are, where their commit is waited for.
    private var gatheringItems = ItemPlaces()
    private var flight: Flight?
    private var flightNumber = 0
    private var isChannelFull = false
    /// More came than the sender's rate allows: its body is read no further for now.
    private var isOverRate = false
    private var result: EventsAnswer

    init(
        acknowledgement: Submission.Acknowledgement, configuration: HTTPIntakeConfiguration,
        audience: HTTPAudience = HTTPAudience(route: .events), reply: DialectReply? = nil,
        position: (@Sendable (ClosedRange<UInt64>) -> String)? = nil
    ) {
        self.acknowledgement = acknowledgement
        self.audience = audience
        self.reply = reply
        submissionBytes = configuration.http.submissionBytes
        retryAfterSeconds = configuration.http.retryAfterSeconds
        result = EventsAnswer(rejectedItemsMax: configuration.http.rejectedItemsMax, position: position)
    }

    /// Bytes of the submission that is out.
    var flightBytes: Int { flight?.byteCount ?? 0 }

    /// True when no more of the body is read.
    var isBroken: Bool {
        if case .broken = body { true } else { false }
    }

    /// True before the first item, accepted or not.
    var isEmpty: Bool { nextIndex == 0 }

    /// The client waits for PostgreSQL only: it has sent its whole request.
    var isAwaitingCommit: Bool { acknowledgement == .committed && hasBodyEnded }

    /// `gatheredBytes`: of accepted lines that are not submitted.
    mutating func nextAction(gatheredBytes: Int) -> Action {
        switch body {
        case .starved, .fed, .ended:
            if gatheredBytes >= submissionBytes { return maySubmit ? .submit : .rest(isBehind: true) }
            if case .starved = body { return .rest(isBehind: isOverRate) }
            return .cut
        case .cut where gatheredBytes > 0:
            return maySubmit ? .submit : .rest(isBehind: false)
        case .cut where flight == nil:
            body = .answered
            return .answer(reply.map { HTTPAnswer($0.answer) } ?? result.answer())
        case .broken(let problem, let place) where flight == nil:
            body = .answered
            // What is in the spool can't be refused any more. SDKs send all of it again, and its ids are known then.
            guard result.accepted > 0, reply == nil else {
                return .answer(HTTPAnswer(problem, retryAfterSeconds: retryAfterSeconds, to: audience))
            }
            result.cutShort(
                at: place.index, rejectedBefore: place.rejectedBefore, sampledOutBefore: place.sampledOutBefore, problem
            )
            return .answer(result.answer())
        case .cut, .broken, .answered:
            return .rest(isBehind: false)
        }
    }

    private var maySubmit: Bool { flight == nil && !isChannelFull }

    // MARK: The body

    mutating func bodyReceived() {
        if case .starved = body { body = .fed }
    }

    mutating func bodyEnded() {
        hasBodyEnded = true
        switch body {
        case .starved, .fed: body = .ended
        default: break
        }
    }

    /// All that was received has been cut. Returns true when the body has ended, so that the last item is what is left.
    mutating func inputCut() -> Bool {
        guard case .ended = body else {
            body = .starved
            return false
        }
        return true
    }

    mutating func lastItemCut() {
        if case .ended = body { body = .cut }
    }

    mutating func itemAccepted() {
        if gathering == nil { gathering = place }
        if acknowledgement == .committed { gatheringItems.append(nextIndex) }
        nextIndex += 1
    }

    mutating func itemRefused(_ refusal: Refusal) {
        result.reject(nextIndex, refusal)
        nextIndex += 1
    }

    /// The item counts as accepted, and is in no submission.
    mutating func itemSampledOut() {
        result.sampledOut += 1
        // There is nothing of it to wait for.
        if acknowledgement == .committed { result.isCommitted = result.isCommitted ?? true }
        nextIndex += 1
    }

    /// Of the next item.
    private var place: Place {
        Place(index: nextIndex, rejectedBefore: result.rejectedTotal, sampledOutBefore: result.sampledOut)
    }

    /// The body can't go on. The gathered lines are not accepted. Returns false when it was cut whole, or
    /// broken, already.
    mutating func bodyBroke(_ problem: HTTPProblem) -> Bool {
        switch body {
        case .starved, .fed, .ended:
            breakOff(problem, at: gathering ?? place)
            return true
        case .cut, .broken, .answered: return false
        }
    }

    private mutating func breakOff(_ problem: HTTPProblem, at place: Place) {
        gathering = nil
        body = .broken(problem, at: place)
    }

    // MARK: Submissions

    /// The record channel takes no more for now. Returns false when that was known already.
    mutating func channelFilled() -> Bool {
        defer { isChannelFull = true }
        return !isChannelFull
    }

    mutating func channelDrained() {
        isChannelFull = false
    }

    /// More came than the sender's rate allows. Returns false when that is known, or when the body came whole: then it is
    /// the next request that waits.
    mutating func rateExceeded() -> Bool {
        guard !isOverRate, !hasBodyEnded, !isBroken else { return false }
        isOverRate = true
        return true
    }

    mutating func rateAllows() {
        isOverRate = false
    }

    /// All places of those who wait for commits are taken: this request doesn't wait for its own.
    mutating func commitWaitRefused() {
        acknowledgement = .spooled
        result.isCommitted = false
    }

    /// The gathered lines were submitted. Returns the submission's number.
    mutating func submitted(byteCount: Int, counts: Counts) -> Int {
        guard let place = gathering else { preconditionFailure("what is submitted has gathered before") }
        defer { gatheringItems = ItemPlaces() }
        gathering = nil
        flightNumber += 1
        flight = Flight(
            number: flightNumber, place: place, byteCount: byteCount, counts: counts, items: gatheringItems,
            commit: acknowledgement == .committed ? .waiting : .none)
        return flightNumber
    }

    /// Returns what counts as accepted now, if the commit is not waited for any longer.
    mutating func submissionDurable(_ number: Int, _ sequences: Range<UInt64>) -> Counts? {
        guard let flight, flight.number == number else { return nil }
        result.submitted(sequences)
        switch flight.commit {
        case .waiting: self.flight?.commit = .durable
        case .overdue: return stopWaiting(flight)
        case .none, .durable: break
        }
        return nil
    }

    /// The client has waited for a commit as long as it may. Returns what counts as accepted now, if that is durable.
    mutating func commitOverdue(_ number: Int) -> Counts? {
        guard let flight, flight.number == number else { return nil }
        switch flight.commit {
        case .waiting: self.flight?.commit = .overdue
        case .durable: return stopWaiting(flight)
        case .none, .overdue: break
        }
        return nil
    }

    /// Answers as if nobody had asked for a commit.
    private mutating func stopWaiting(_ flight: Flight) -> Counts {
        commitWaitRefused()
        return land(flight)
    }

    mutating func submissionEnded(_ number: Int, _ outcome: Submission.Outcome) -> Ended {
        guard let flight, flight.number == number else { return .late }
        switch outcome {
        case .durable(let sequences):
            result.submitted(sequences)
            if acknowledgement == .committed { result.isCommitted = false }
        case .committed(let sequences, let lines):
            result.submitted(sequences)
            result.committed(sequences, lines) { flight.items.index(ofLine: $0) }
        case .failed(let refusal):
            self.flight = nil
            breakOff(HTTPProblem(refusal), at: flight.place)
            return .refused
        }
        return .accepted(land(flight))
    }

    private mutating func land(_ flight: Flight) -> Counts {
        self.flight = nil
        result.accepted += flight.counts.reduce(0) { $0 + $1.count }
        return flight.counts
    }
}
