internal import Logging
internal import MillraceChannels
internal import MillraceRoutes
internal import NIOCore
internal import NIOExtras
internal import NIOHTTP1
internal import MillraceTelemetry

/// One HTTP connection: answers `POST /v1/events` itself and passes other requests on, one at a time and in order.
///
/// A request that comes while the one before it is being answered waits here, and the socket is read no further. This
/// handler alone decides about the life of the connection: deadlines, keep-alive, half-close, limits, and what a
/// request that is no HTTP gets.
final class HTTPConnectionHandler: ChannelDuplexHandler {
    typealias InboundIn = HTTPServerRequestPart
    typealias InboundOut = HTTPServerRequestPart
    typealias OutboundIn = HTTPServerResponsePart
    typealias OutboundOut = HTTPServerResponsePart

    /// What all connections of one intake share.
    struct Shared: Sendable {
        var configuration: HTTPIntakeConfiguration
        var channel: RecordChannel
        var metrics: IntakeMetrics
        var limiter: ConnectionLimiter
        /// Requests that wait for a commit.
        var waiters: ConnectionLimiter
        var door: HTTPDoor
        var logger: Logger
        /// Adds what answers the other routes to the end of the pipeline.
        var attachRoutes: @Sendable (any Channel) throws -> Void
    }

    enum Phase {
        case open
        /// Output is closed; what still comes is thrown away.
        case lingering
        case closed
    }

    let shared: Shared
    let wire: HTTPWireHandler
    private(set) var context: ChannelHandlerContext?
    private(set) var phase = Phase.open
    private(set) var exchange: HTTPExchange?
    private var queue = CircularBuffer<HTTPServerRequestPart>()
    /// Set when the decoder gave up; answered after what came before it.
    private var decoderProblem: HTTPProblem?
    private var isDelivering = false
    private var isRouteAttached = false
    private var hasForwarded = false
    private var isReadPending = false
    private var isInputClosed = false
    private var isOutputClosed = false
    private var isQuiescing = false
    private var hasPlace = false
    private var isReserved = false
    private var deadline = HTTPDeadline()
    private var bodyWindow = HTTPBodyWindow()
    private var writeWindow = HTTPWriteWindow()
    /// The last answer is written, and the client has not taken it: the next request waits.
    private var isSending = false
    /// Until when no request need begin.
    private var idleEnd = NIODeadline.distantFuture
    private var entrance = HTTPDoor.Entrance()

    init(shared: Shared, wire: HTTPWireHandler) {
        self.shared = shared
        self.wire = wire
    }

    private var configuration: HTTPIntakeConfiguration { shared.configuration }

    // MARK: Channel events

    func handlerAdded(context: ChannelHandlerContext) {
        self.context = context
        wire.onHeadStarted = { self.headStarted() }
    }

    func handlerRemoved(context: ChannelHandlerContext) {
        self.context = nil
        wire.onHeadStarted = {}
    }

    func channelActive(context: ChannelHandlerContext) {
        let address = context.localAddress
        entrance = HTTPDoor.Entrance(address: address?.ipAddress, port: address?.port)
        guard let place = shared.limiter.enter() else {
            shared.metrics[.http].connectionsRefused.add(1)
            refuseConnection()
            return
        }
        hasPlace = true
        isReserved = place > configuration.connectionsMax - configuration.connectionsReserved
        shared.metrics[.http].connectionsOpen.add(1)
        shared.metrics[.http].connectionsAccepted.add(1)
        awaitHead(.firstHead, atMost: configuration.headerTimeout)
        context.fireChannelActive()
    }

    func channelInactive(context: ChannelHandlerContext) {
        phase = .closed
        deadline.task?.cancel()
        queue.removeAll()
        exchange?.events?.onChange = {}
        exchange = nil
        leavePlace()
        context.fireChannelInactive()
    }

    private func leavePlace() {
        guard hasPlace else { return }
        hasPlace = false
        shared.limiter.leave()
        shared.metrics[.http].connectionsOpen.add(-1)
    }

    /// A client that waits for a commit and has said that it sends nothing more may be gone: its connection counts no
    /// longer, while the wait, which has a limit and a count of its own, goes on.
    private func leavePlaceIfGone() {
        if isInputClosed, queue.isEmpty, exchange?.events?.isAwaitingCommit == true { leavePlace() }
    }

    func channelRead(context: ChannelHandlerContext, data: NIOAny) {
        guard phase == .open else { return }
        queue.append(unwrapInboundIn(data))
    }

    func channelReadComplete(context: ChannelHandlerContext) {
        deliver()
        context.fireChannelReadComplete()
    }

    func channelWritabilityChanged(context: ChannelHandlerContext) {
        readOn()
        context.fireChannelWritabilityChanged()
    }

    func errorCaught(context: ChannelHandlerContext, error: any Error) {
        guard phase == .open else { return }
        switch error {
        case let error as HTTPParserError:
            decoderProblem = decoderProblem ?? HTTPFraming.problem(error)
            deliver()
        case is ByteToMessageDecoderError:
            break
        default:
            shared.logger.debug("connection failed", metadata: ["error": "\(error)"])
            context.close(promise: nil)
        }
    }

    func userInboundEventTriggered(context: ChannelHandlerContext, event: Any) {
        switch event {
        case ChannelEvent.inputClosed:
            // Not passed on: the routes would close before their answer is written.
            isInputClosed = true
            if phase == .open {
                leavePlaceIfGone()
                deliver()
            } else if isOutputClosed {
                context.close(promise: nil)
            }
        case is ChannelShouldQuiesceEvent:
            isQuiescing = true
            let bound = NIOLoopBound(context, eventLoop: context.eventLoop)
            context.eventLoop.scheduleTask(in: TimeAmount(configuration.drainTimeout)) {
                bound.value.close(promise: nil)
            }
            if exchange == nil, queue.isEmpty, phase == .open { linger() }
        default:
            context.fireUserInboundEventTriggered(event)
        }
    }

    private func headStarted() {
        if exchange == nil, !isSending, phase == .open { setDeadline(.head, after: configuration.headerTimeout) }
    }

    // MARK: Reading

    private var mayRead: Bool {
        guard phase == .open else { return true }
        return queue.isEmpty && exchange?.events?.mayRead ?? true && context?.channel.isWritable ?? true
    }

    func read(context: ChannelHandlerContext) {
        guard mayRead else {
            isReadPending = true
            bodyWindow.isHeld = true
            return
        }
        context.read()
    }

    private func readOn() {
        guard isReadPending, mayRead else { return }
        isReadPending = false
        context?.read()
    }

    // MARK: One request after the other

    /// Delivers what has come, as far as the order of answers allows.
    private func deliver() {
        guard !isDelivering else { return }
        isDelivering = true
        while phase == .open, exchange.map({ !$0.isRequestEnded }) ?? !isSending, let part = queue.popFirst() {
            deliver(part)
            answerIfReady()
        }
        isDelivering = false
        if queue.isEmpty, phase == .open { deliverEnd() }
        if hasForwarded {
            hasForwarded = false
            context?.fireChannelReadComplete()
        }
        readOn()
    }

    private func deliver(_ part: HTTPServerRequestPart) {
        switch part {
        case .head(let head):
            start(head)
        case .body(let buffer):
            bodyWindow.byteCount += buffer.readableBytes
            shared.metrics[.http].bytesReceived.add(buffer.readableBytes)
            if let events = exchange?.events { events.bodyReceived(buffer) } else { forward(part) }
        case .end:
            exchange?.isRequestEnded = true
            deadline.clear()
            declineUpgrade()
            if let events = exchange?.events { events.bodyEnded() } else { forward(part) }
            leavePlaceIfGone()
        }
    }

    /// The decoder has stopped behind a request that offers another protocol; HTTP goes on.
    private func declineUpgrade() {
        guard exchange?.fields.upgrade == .made, exchange?.closes == false else { return }
        do {
            try wire.replaceDecoder { self.deliver() }
        } catch {
            exchange?.closes = true
        }
    }

    /// What follows the last part that came: the decoder's error, or the end of the client's stream.
    private func deliverEnd() {
        if let problem = decoderProblem, exchange.map({ !$0.isRequestEnded }) ?? true {
            failRequest(problem, closes: true)
        } else if isInputClosed, exchange == nil {
            linger()
        }
    }

    private func start(_ received: HTTPRequestHead) {
        var head = received
        let target = HTTPRequestTarget(head.uri)
        let fields = HTTPRequestFields(head.headers, authority: target?.authority)
        if let target, target.uri != head.uri {
            head.uri = target.uri
            if let authority = target.authority { head.headers.replaceOrAdd(name: "Host", value: authority) }
        }
        let route = HTTPRoute(
            path: target?.path ?? "", isReading: head.method == .GET || head.method == .HEAD)
        exchange = HTTPExchange(
            head: head, fields: fields, route: route, startedAt: .now(),
            closes: !head.isKeepAlive || fields.upgrade == .unclear)
        setDeadline(.body, after: configuration.bodyRateInterval)
        bodyWindow = HTTPBodyWindow()
        if let problem = HTTPFraming.problem(received, fields) ?? HTTPFraming.problem(received, target) {
            failRequest(problem, closes: true)
        } else if isReserved, !route.isOperational {
            failRequest(
                HTTPProblem(.tooManyConnections, "the connections that are left answer only /livez, /readyz, /metrics"),
                closes: true)
        } else if !route.isProbe, let problem = shared.door.problem(fields, at: entrance) {
            exchange?.isTakenOver = true
            refuseHead(problem)
        } else if route == .events {
            startEvents(head, fields)
        } else {
            startRouted(head, fields)
        }
    }

    private func startEvents(_ head: HTTPRequestHead, _ fields: HTTPRequestFields) {
        guard let context else { return }
        do throws(HTTPProblem) {
            guard head.method == .POST else {
                throw HTTPProblem(.methodNotAllowed, "events are sent with POST and read with GET")
            }
            guard fields.contentType != nil || fields.origin == nil else {
                throw HTTPProblem(.unsupportedMediaType, "from a page, Content-Type: application/json is wanted")
            }
            let wanted = try EventsRequestHead(uri: head.uri, fields)
            if let refusal = shared.channel.refusal { throw HTTPProblem(refusal) }
            let events = EventsRequest(
                head: wanted, configuration: configuration, channel: shared.channel, metrics: shared.metrics,
                waiters: shared.waiters, eventLoop: context.eventLoop)
            // Holds this handler until the request is answered or the connection gone. A weak reference would make each
            // count of references to the handler slow.
            events.onChange = { self.eventsChanged() }
            exchange?.events = events
            sayContinue(head, fields)
        } catch {
            exchange?.isTakenOver = true
            refuseHead(error)
        }
    }

    private func startRouted(_ head: HTTPRequestHead, _ fields: HTTPRequestFields) {
        guard let context else { return }
        do {
            if !isRouteAttached {
                try shared.attachRoutes(context.channel)
                isRouteAttached = true
            }
            sayContinue(head, fields)
            var head = head
            // For the routes, which see no version: what speaks 1.0 today is a proxy.
            if head.version == .http1_0 { head.headers.add(name: "Via", value: "1.0 client") }
            forward(.head(head))
        } catch {
            failRequest(HTTPProblem(.unavailable, "the daemon is stopping"), closes: true)
        }
    }

    private func sayContinue(_ head: HTTPRequestHead, _ fields: HTTPRequestFields) {
        guard let expect = fields.expect, head.version == .http1_1, let context, expect.lowercased() == "100-continue"
        else { return }
        let proceed = HTTPResponseHead(version: .http1_1, status: .continue)
        context.writeAndFlush(wrapOutboundOut(.head(proceed)), promise: nil)
    }

    private func forward(_ part: HTTPServerRequestPart) {
        guard let exchange, !exchange.isTakenOver else { return }
        hasForwarded = true
        context?.fireChannelRead(wrapInboundOut(part))
    }

    // MARK: Answers from here

    private func eventsChanged() {
        answerIfReady()
        deliver()
    }

    private func answerIfReady() {
        if let answer = exchange?.events?.answer {
            if exchange?.answer == nil, exchange?.isRequestEnded == false { exchange?.closes = true }
            write(answer)
        } else if exchange?.isRequestEnded == true, let answer = exchange?.answer {
            write(answer)
        }
    }

    /// Refuses a request by its head. When its body is short, it is read away, so that the connection can go on.
    private func refuseHead(_ problem: HTTPProblem) {
        let answer = HTTPAnswer(problem, retryAfterSeconds: configuration.retryAfterSeconds)
        guard let fields = exchange?.fields else { return }
        let length = fields.contentLengths.first.flatMap { Int($0) }
        let isBodiless = length == nil && fields.transferEncodings.isEmpty
        let isAwaitingContinue = fields.expect != nil
        if !isAwaitingContinue, isBodiless || length ?? .max <= 64 << 10 {
            exchange?.answer = answer
        } else {
            exchange?.closes = true
            write(answer)
        }
    }

    /// The request (or what should have been one) can't go on.
    private func failRequest(_ problem: HTTPProblem, closes: Bool) {
        if closes { exchange?.closes = true }
        if let events = exchange?.events {
            events.bodyBroke(problem)
            answerIfReady()
        } else if exchange?.isResponseStarted == true {
            context?.close(promise: nil)
        } else {
            exchange?.isTakenOver = true
            var answer = HTTPAnswer(problem, retryAfterSeconds: configuration.retryAfterSeconds)
            answer.closes = closes
            write(answer)
        }
    }

    private func refuseConnection() {
        let problem = HTTPProblem(.tooManyConnections, "every connection is taken (http.connections_max); try later")
        var answer = HTTPAnswer(problem, retryAfterSeconds: configuration.retryAfterSeconds)
        answer.closes = true
        write(answer)
    }

    private func write(_ answer: HTTPAnswer) {
        guard let context, phase == .open else { return }
        exchange?.status = answer.status
        let closes = answer.closes || exchange?.closes ?? true || closesAlways
        exchange?.closes = closes
        wire.write(
            answer.bytes(
                connection: connectionField(closes: closes), hasBody: exchange?.head.method != .HEAD,
                allocator: context.channel.allocator))
        responseEnded(closes: closes)
    }

    /// No answer is followed by another request.
    private var closesAlways: Bool { isQuiescing || configuration.idleTimeout <= .zero }

    /// The field `Connection` of an answer, where its default would say something else.
    private func connectionField(closes: Bool) -> String? {
        if closes { return "close" }
        return exchange?.head.version == .http1_0 ? "keep-alive" : nil
    }

    // MARK: Answers from the routes

    func write(context: ChannelHandlerContext, data: NIOAny, promise: EventLoopPromise<Void>?) {
        guard phase == .open, let exchange, !exchange.isTakenOver, exchange.events == nil else {
            promise?.fail(ChannelError.ioOnClosedChannel)
            return
        }
        switch unwrapOutboundIn(data) {
        case .head(var head):
            if head.status.code >= 200 {
                self.exchange?.isResponseStarted = true
                self.exchange?.status = Int(head.status.code)
                // A body that nobody will read: the connection can't go on behind it.
                let closes = exchange.closes || closesAlways || !exchange.isRequestEnded || !head.isKeepAlive
                self.exchange?.closes = closes
                if let field = connectionField(closes: closes) {
                    head.headers.replaceOrAdd(name: "Connection", value: field)
                }
            }
            context.write(wrapOutboundOut(.head(head)), promise: promise)
        case .body(let body):
            if exchange.head.method == .HEAD {
                promise?.succeed()
            } else {
                context.write(wrapOutboundOut(.body(body)), promise: promise)
            }
        case .end(let trailers):
            context.writeAndFlush(wrapOutboundOut(.end(trailers)), promise: promise)
            responseEnded(closes: exchange.closes)
            deliver()
        }
    }

    func flush(context: ChannelHandlerContext) {
        context.flush()
        guard phase == .open, exchange?.isRequestEnded == true, deadline.kind == nil else { return }
        watchSending()
    }

    // MARK: After an answer

    private func responseEnded(closes: Bool) {
        if let exchange {
            shared.metrics.requests(exchange.route, statusClass: exchange.status / 100).add(1)
            let took = NIODeadline.now() - exchange.startedAt
            shared.metrics.onRequest(exchange.route, (took.nanoseconds + 999) / 1000)
            exchange.events?.onChange = {}
        }
        exchange = nil
        deadline.clear()
        if closes {
            linger()
        } else {
            wire.expectHead()
            isSending = watchSending()
            if isSending { wire.whenSent { self.answerSent() } } else { answerSent() }
        }
    }

    /// Looks from now on whether the client takes its answer; false when it has taken all of it.
    @discardableResult
    private func watchSending() -> Bool {
        guard wire.unsentBytes > 0 else { return false }
        _ = writeWindow.hasMoved(to: wire.sentBytes)
        setDeadline(.writing, after: configuration.writeTimeout)
        return true
    }

    /// The client's socket has all of the last answer: the clock of the next request starts.
    private func answerSent() {
        isSending = false
        guard phase == .open, exchange == nil else { return }
        if wire.isHeadExpected {
            awaitHead(.idle, atMost: configuration.idleTimeout)
        } else {
            setDeadline(.head, after: configuration.headerTimeout)
        }
        deliver()
    }

    /// Closes the output behind what was written and gives the client a moment to read it: a reset would take the
    /// answer back.
    private func linger() {
        guard let context else { return }
        phase = .lingering
        queue.removeAll()
        _ = writeWindow.hasMoved(to: wire.sentBytes)
        setDeadline(.writing, after: configuration.writeTimeout)
        let bound = NIOLoopBound(self, eventLoop: context.eventLoop)
        let flushed = context.eventLoop.makePromise(of: Void.self)
        flushed.futureResult.whenComplete { _ in bound.value.outputClosed() }
        context.close(mode: .output, promise: flushed)
        readOn()
    }

    private func outputClosed() {
        isOutputClosed = true
        if isInputClosed {
            context?.close(promise: nil)
        } else {
            setDeadline(.linger, after: configuration.lingerTimeout)
        }
    }

    // MARK: Deadlines

    /// Whether others want places: those that are left answer probes only.
    private var isCrowded: Bool { shared.limiter.hasAtMost(max(1, configuration.connectionsReserved)) }

    /// A request may begin. Who says nothing has `limit`, and loses the place sooner when places are wanted: idle
    /// connections must not keep out a probe.
    private func awaitHead(_ kind: HTTPDeadline.Kind, atMost limit: Duration) {
        idleEnd = .now() + TimeAmount(limit)
        setDeadline(kind, after: min(limit, configuration.crowdedWait * (isCrowded ? 1 : 2)))
    }

    private func setDeadline(_ kind: HTTPDeadline.Kind, after duration: Duration) {
        guard let context else { return }
        let eventLoop = context.eventLoop
        let bound = NIOLoopBound(self, eventLoop: eventLoop)
        deadline.set(kind, at: .now() + TimeAmount(duration)) { time in
            eventLoop.scheduleTask(deadline: time) { bound.value.deadlinePassed() }
        }
    }

    private func deadlinePassed() {
        let due = deadline.fired(now: .now())
        guard let kind = due else {
            if let left = deadline.kind { setDeadline(left, after: deadline.left(now: .now())) }
            return
        }
        switch kind {
        case .firstHead, .idle:
            let left = idleEnd - .now()
            if left > .zero, !isCrowded {
                setDeadline(kind, after: min(.nanoseconds(left.nanoseconds), configuration.crowdedWait * 2))
            } else {
                context?.close(promise: nil)
            }
        case .linger:
            context?.close(promise: nil)
        case .writing:
            let isMoving = writeWindow.hasMoved(to: wire.sentBytes)
            if wire.unsentBytes == 0, phase == .open {
                return
            } else if isMoving {
                setDeadline(.writing, after: configuration.writeTimeout)
            } else {
                context?.close(promise: nil)
            }
        case .head:
            failRequest(HTTPProblem(.headersTooSlow, "the headers took too long"), closes: true)
        case .body:
            let interval = configuration.bodyRateInterval
            if bodyWindow.isFastEnough(bytesPerSecondMin: configuration.bodyBytesPerSecondMin, over: interval) {
                bodyWindow = HTTPBodyWindow(isHeld: !mayRead)
                setDeadline(.body, after: interval)
            } else {
                failRequest(HTTPProblem(.bodyTooSlow, "the body came too slowly"), closes: true)
            }
        }
    }
}
