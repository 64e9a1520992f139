internal import MillraceAccess
internal import MillraceRoutes
internal import NIOCore
internal import NIOHTTP1

/// Decides about one HTTP connection: which request is read and answered when, how long its client may take for what,
/// and when it ends. No I/O and no clock: what happened comes in with its time, what is to be done goes out.
///
///     idle ─ head ─► receiving ─ end ─► answering ─ answer ─► sending ─ taken ─► idle
///     any of these ─ last answer, end of input ─► lingering ─ flushed ─► outputClosed ─► closed
///
/// Invariants:
/// 1. Requests are answered one at a time, in order. What comes while one is being answered, or while its answer is
///    not taken, waits here, and the socket is read no further.
/// 2. A request gets one answer. If it was not read whole by then, the connection ends with it.
/// 3. While it is open, a connection has a deadline unless the daemon itself is what it waits for.
struct HTTPConnectionStateMachine: ~Copyable {
    /// A new one is in force at once; a deadline that runs stays.
    var configuration: HTTPIntakeConfiguration
    private var place: ConnectionPlace?
    var state = State.idle
    private var queue = CircularBuffer<HTTPServerRequestPart>()
    /// Why the decoder gave up; it is handled after the parts that came before it.
    private var decoderProblem: HTTPProblem?
    private var isInputClosed = false
    private var isReadHeld = false
    var due: (deadline: Deadline, time: NIODeadline)?
    /// When a connection that is asked to stop ends at the latest.
    var drainEnd = NIODeadline.distantFuture

    init(configuration: HTTPIntakeConfiguration) {
        self.configuration = configuration
    }

    /// When `deadlineElapsed` is to be called; may move at any event.
    var deadline: NIODeadline { min(due?.time ?? .distantFuture, drainEnd) }

    var isOpen: Bool {
        switch state {
        case .idle, .receiving, .answering, .sending: true
        case .lingering, .outputClosed, .closed: false
        }
    }

    /// The place is one of those that are kept free for operations.
    var isReserved: Bool {
        switch place {
        case .some(let place): place.number > configuration.http.connectionsMax - configuration.http.reservedConnections
        case .none: false
        }
    }

    /// The request in hand.
    private var exchange: HTTPExchange? {
        switch state {
        case .receiving(let exchange), .answering(let exchange): exchange
        default: nil
        }
    }

    /// When the request was read that the routes have in hand and have not begun to answer.
    var routedAt: NIODeadline? {
        guard let exchange, case .routes(nil) = exchange.answerer else { return nil }
        return exchange.startedAt
    }

    private mutating func update(_ exchange: HTTPExchange) {
        switch state {
        case .receiving: state = .receiving(exchange)
        case .answering: state = .answering(exchange)
        default: preconditionFailure("only a request in hand changes")
        }
    }

    private var isReceiving: Bool {
        if case .receiving = state { true } else { false }
    }

    // MARK: The connection

    /// `isCrowded`: others want places.
    mutating func connectionAccepted(_ place: consuming ConnectionPlace, isCrowded: Bool, now: NIODeadline) {
        self.place = consume place
        awaitHead(until: now.after(configuration.http.headerTimeout), isCrowded: isCrowded, now: now)
    }

    mutating func connectionRefused(_ problem: HTTPProblem) -> Action { fail(problem) }

    mutating func connectionClosed() {
        state = .closed
        place = nil
        due = nil
        drainEnd = .distantFuture
        queue.removeAll()
    }

    mutating func quiesceRequested(output: Output, now: NIODeadline) -> Action {
        drainEnd = now.after(configuration.intake.drainLimit)
        switch state {
        case .idle where queue.isEmpty, .sending where queue.isEmpty: return linger(output, now: now)
        default: return .none
        }
    }

    mutating func inputClosed() -> Action {
        isInputClosed = true
        leavePlaceIfGone()
        if case .outputClosed = state { return close() }
        return .none
    }

    mutating func outputClosed(now: NIODeadline) -> Action {
        guard case .lingering = state else { return .none }
        state = .outputClosed
        if isInputClosed { return close() }
        due = (.linger, now.after(configuration.intake.linger))
        return .none
    }

    /// A client that waits for a commit and has said that it sends nothing more may be gone: its connection counts no
    /// longer, while the wait, which has a limit and a count of its own, goes on.
    private mutating func leavePlaceIfGone() {
        guard isInputClosed, queue.isEmpty, case .answering(let exchange) = state else { return }
        if exchange.isAwaitingCommit { place = nil }
    }

    // MARK: Reading

    /// The next read is wanted. True when it may go to the socket now; else `heldReadMayGo` tells when.
    mutating func readRequested(isWritable: Bool) -> Bool {
        guard !mayRead(isWritable: isWritable) else { return true }
        isReadHeld = true
        if case .receiving(var exchange) = state {
            exchange.window.isHeld = true
            state = .receiving(exchange)
        }
        return false
    }

    /// True, once, when a read that was held back may go to the socket now.
    mutating func heldReadMayGo(isWritable: @autoclosure () -> Bool) -> Bool {
        guard isReadHeld, mayRead(isWritable: isWritable()) else { return false }
        isReadHeld = false
        return true
    }

    func mayRead(isWritable: Bool) -> Bool {
        switch state {
        case .idle, .sending: queue.isEmpty && isWritable
        case .receiving(let exchange), .answering(let exchange): queue.isEmpty && isWritable && !exchange.isBehind
        case .lingering, .outputClosed, .closed: true
        }
    }

    // MARK: Requests

    /// The first bytes of a request came.
    mutating func requestBegun(now: NIODeadline) {
        switch state {
        case .idle: due = (.head, now.after(configuration.http.headerTimeout))
        case .sending: state = .sending(hasNextBegun: true)
        default: break
        }
    }

    mutating func partReceived(_ part: HTTPServerRequestPart) {
        if isOpen { queue.append(part) }
    }

    mutating func decoderFailed(_ problem: HTTPProblem) {
        decoderProblem = decoderProblem ?? problem
    }

    /// What is to be done with the next part that waits, or with the end of the input; nil when that must wait.
    mutating func nextAction(output: @autoclosure () -> Output, now: @autoclosure () -> NIODeadline) -> Action? {
        switch state {
        case .idle:
            while let part = queue.popFirst() {
                if case .head(let head) = part { return .admit(head) }
            }
        case .receiving(let exchange):
            if let part = queue.first { return deliver(part, exchange) }
        case .sending:
            guard queue.isEmpty else { return nil }
        case .answering, .lingering, .outputClosed, .closed:
            return nil
        }
        if let problem = decoderProblem {
            decoderProblem = nil
            return fail(problem)
        }
        guard isInputClosed else { return nil }
        if case .receiving = state { return nil }
        return linger(output(), now: now())
    }

    private mutating func deliver(_ part: HTTPServerRequestPart, _ current: HTTPExchange) -> Action {
        var exchange = current
        if case .end = part {
            if exchange.upgrade == .made, !exchange.closes {
                exchange.upgrade = .none
                state = .receiving(exchange)
                return .replaceDecoder
            }
            due = nil
            state = .answering(exchange)
        } else if case .body(let buffer) = part {
            exchange.window.byteCount += buffer.readableBytes
            state = .receiving(exchange)
        }
        queue.removeFirst()
        switch (exchange.answerer, part) {
        case (.events, .body(let buffer)): return .takeBody(buffer)
        case (.events, .end): return .takeBody(nil)
        case (.refusal(let answer), .end): return refuse(answer, exchange)
        case (.routes, _): return .forward(part)
        default: return .none
        }
    }

    /// `failure`: of a failed authentication, how late it is answered; nil with one when it gets no answer.
    mutating func requestAdmitted(
        _ admission: HTTPAdmission, failure: FailedAuthentications.Wait? = nil, now: NIODeadline
    ) -> Action {
        if admission.isAuthenticationFailed, failure == nil { return close() }
        due = (.body, now.after(configuration.http.bodyRateInterval))
        var exchange = HTTPExchange(
            audience: admission.audience, answerer: .events(.reading), startedAt: now, version: admission.version,
            isHead: admission.isHead, upgrade: admission.upgrade, closes: admission.closes, failure: failure)
        let action: Action
        switch admission.verdict {
        case .events(let head, let saysContinue):
            action = .startEvents(head, admission.route, saysContinue: saysContinue)
        case .routes(let head, let saysContinue):
            exchange.answerer = .routes(status: nil)
            action = .startRoutes(head, saysContinue: saysContinue)
        case .answered(let answer):
            exchange.answerer = .refusal(answer)
            action = .none
        case .refused(let problem):
            exchange.answerer = .refusal(refusal(problem, to: exchange.audience))
            action = .none
        case .cutOff(let problem):
            exchange.closes = true
            return refuse(refusal(problem, to: exchange.audience), exchange)
        }
        state = .receiving(exchange)
        return action
    }

    /// Answers at once, or, after a failed authentication, at a time that does not depend on its reason.
    private mutating func refuse(_ answer: HTTPAnswer, _ exchange: HTTPExchange) -> Action {
        guard let failure = exchange.failure else { return self.answer(answer, exchange) }
        state = .answering(exchange)
        due = (.held(answer), exchange.startedAt.after(failure.delay))
        return .none
    }

    /// No decoder reads what follows the request in hand.
    mutating func decoderLost() {
        guard var exchange else { return }
        exchange.closes = true
        update(exchange)
    }

    mutating func routesUnavailable() -> Action {
        fail(HTTPProblem(.unavailable, "the daemon is stopping"))
    }

    // MARK: Answers

    /// The events request took what it was given, or went on by itself.
    mutating func eventsProgressed(_ progress: EventsProgress) -> Action {
        guard var exchange, case .events = exchange.answerer else { return .none }
        if case .answered(let answer) = progress {
            if isReceiving { exchange.closes = true }
            return self.answer(answer, exchange)
        }
        exchange.answerer = .events(progress)
        update(exchange)
        leavePlaceIfGone()
        return .none
    }

    /// The body of an events request held no key in force. `failure`: how late that is answered; nil: not at all.
    mutating func authenticationFailed(_ answer: HTTPAnswer, failure: FailedAuthentications.Wait?) -> Action {
        guard var exchange, case .events = exchange.answerer else { return .none }
        guard let failure else { return close() }
        if isReceiving { exchange.closes = true }
        exchange.failure = failure
        return refuse(answer, exchange)
    }

    mutating func routesWrote(_ part: HTTPServerResponsePart) -> RoutedAction {
        guard var exchange, case .routes(let status) = exchange.answerer else { return .fail }
        switch part {
        case .head(var head) where head.status.code >= 200:
            exchange.answerer = .routes(status: Int(head.status.code))
            exchange.closes = exchange.closes || keepsNoConnection || isReceiving || !head.isKeepAlive
            update(exchange)
            if let field = exchange.connectionField { head.headers.replaceOrAdd(name: "Connection", value: field) }
            return .write(.head(head))
        case .body where exchange.isHead: return .skip
        case .head, .body: return .write(part)
        case .end(let trailers): return .end(trailers, exchange, status: status ?? 0)
        }
    }

    /// The routes flushed what they wrote.
    mutating func routesFlushed(output: @autoclosure () -> Output, now: @autoclosure () -> NIODeadline) {
        guard case .answering = state, due == nil else { return }
        let output = output()
        if output.unsentBytes > 0 { watchWriting(output, now: now()) }
    }

    /// `closes`: of the exchange that was answered; true when there was none.
    mutating func answerWritten(closes: Bool, output: Output, isCrowded: Bool, now: NIODeadline) -> Action {
        guard isOpen else { return .none }
        if closes { return linger(output, now: now) }
        state = .sending(hasNextBegun: false)
        guard output.unsentBytes == 0 else {
            watchWriting(output, now: now)
            return .awaitTaken
        }
        answerTaken(isCrowded: isCrowded, now: now)
        return .none
    }

    /// The client's socket has all of the last answer: the clock of the next request starts.
    mutating func answerTaken(isCrowded: Bool, now: NIODeadline) {
        guard case .sending(let hasNextBegun) = state else { return }
        state = .idle
        if hasNextBegun {
            due = (.head, now.after(configuration.http.headerTimeout))
        } else {
            awaitHead(until: now.after(configuration.http.keepAlive), isCrowded: isCrowded, now: now)
        }
    }

    /// No answer is followed by another request.
    private var keepsNoConnection: Bool { drainEnd < .distantFuture || configuration.http.keepAlive <= .zero }

    private func refusal(_ problem: HTTPProblem, to audience: HTTPAudience) -> HTTPAnswer {
        HTTPAnswer(problem, retryAfterSeconds: configuration.http.retryAfterSeconds, to: audience)
    }

    mutating func answer(_ answer: HTTPAnswer, _ current: HTTPExchange) -> Action {
        var exchange = current
        exchange.closes = exchange.closes || keepsNoConnection
        state = .answering(exchange)
        return .answer(answer, exchange)
    }

    /// The request, or what should have been one, can't go on, nor can the connection.
    mutating func fail(_ problem: HTTPProblem) -> Action {
        guard var exchange else { return .answer(refusal(problem, to: HTTPAudience(route: .other)), nil) }
        exchange.closes = true
        update(exchange)
        switch exchange.answerer {
        case .events: return .breakBody(problem)
        case .routes(.some): return close()
        case .routes(.none), .refusal: return answer(refusal(problem, to: exchange.audience), exchange)
        }
    }

    /// Ends the connection after what was written, and gives the client a moment to read it: a reset would discard the
    /// answer.
    private mutating func linger(_ output: Output, now: NIODeadline) -> Action {
        state = .lingering
        queue.removeAll()
        watchWriting(output, now: now)
        return .closeOutput
    }

    mutating func close() -> Action {
        state = .closed
        due = nil
        drainEnd = .distantFuture
        return .close
    }
}
