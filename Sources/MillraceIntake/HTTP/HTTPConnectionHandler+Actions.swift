internal import MillraceAccess
internal import MillraceChannels
internal import MillraceRoutes
internal import MillraceTelemetry
internal import NIOCore
internal import NIOHTTP1

extension HTTPConnectionHandler {
    /// Carries out what the machine decided, and tells it what came of that.
    func run(_ action: HTTPConnectionStateMachine.Action) {
        guard let context else { return }
        switch action {
        case .none: break
        case .admit(let head):
            let now = now
            let admission = HTTPAdmission(
                head, at: entrance, door: settings.value.door,
                access: HTTPAccess(shared: shared.access, address: address, clientSubject: peer?.subject),
                isReserved: machine.isReserved, spoolRefusal: shared.channel.refusal)
            entry = admission.entry
            let failure =
                admission.isAuthenticationFailed
                ? shared.authenticationFailures.failed(from: address, peer: peerName) : nil
            run(machine.requestAdmitted(admission, failure: failure, now: now))
        case .startEvents(let head, let route, let saysContinue):
            startEvents(head, route)
            if saysContinue { sayContinue() }
        case .startRoutes(let head, let saysContinue):
            guard attachRoutes(context.channel) else { return run(machine.routesUnavailable()) }
            if saysContinue { sayContinue() }
            context.fireChannelRead(wrapInboundOut(.head(head)))
        case .takeBody(let buffer):
            guard let events else { return }
            run(progressed(buffer.map { events.bodyReceived($0) } ?? events.bodyEnded()))
        case .breakBody(let problem):
            guard let events else { return }
            run(progressed(events.bodyBroke(problem)))
        case .forward(let part): context.fireChannelRead(wrapInboundOut(part))
        case .replaceDecoder:
            do { try wire.replaceDecoder { self.deliver() } } catch { machine.decoderLost() }
        case .answer(let answer, let exchange):
            let connection = exchange.map { $0.connectionField } ?? "close"
            wire.write(
                answer.bytes(
                    connection: connection, hasBody: exchange?.isHead != true,
                    further: exchange?.audience.fields ?? [], context.channel.allocator))
            run(answerWritten(exchange, status: answer.status))
        case .awaitTaken:
            wire.whenSent {
                self.machine.answerTaken(isCrowded: self.shared.isCrowded, now: self.now)
                self.deliver()
            }
        case .closeOutput:
            // Not at once: where the client has closed its side, NIO would drop what the socket has not taken.
            wire.whenSent {
                let bound = NIOLoopBound(self, eventLoop: self.eventLoop)
                let closed = self.eventLoop.makePromise(of: Void.self)
                closed.futureResult.whenComplete { _ in
                    bound.value.handle(bound.value.machine.outputClosed(now: bound.value.now))
                }
                context.close(mode: .output, promise: closed)
            }
        case .close: context.close(promise: nil)
        }
    }

    private func startEvents(_ head: EventsRequestHead, _ route: HTTPRoute) {
        let door = HTTPAccess(shared: shared.access, address: address, clientSubject: peer?.subject)
        let events = EventsRequest(
            head: head, route: route, access: entry, door: door, peer: peerName, shared: shared,
            settings: settings.value, parser: parser, eventLoop: eventLoop)
        // Keeps this handler alive until the request is answered or the connection is gone. A weak reference would make
        // each count of references to the handler slow.
        events.onProgress = { self.handle(self.progressed($0)) }
        self.events = events
    }

    private func progressed(_ progress: EventsProgress) -> HTTPConnectionStateMachine.Action {
        guard case .answered(let answer) = progress, events?.isKeyMissing == true else {
            return machine.eventsProgressed(progress)
        }
        let failure = shared.authenticationFailures.failed(from: address, peer: peerName)
        return machine.authenticationFailed(answer, failure: failure)
    }

    func endEvents() {
        events?.onProgress = { _ in }
        events = nil
    }

    private func attachRoutes(_ channel: any Channel) -> Bool {
        if !isRouteAttached { isRouteAttached = (try? shared.attachRoutes(channel, peer != nil)) != nil }
        return isRouteAttached
    }

    private func sayContinue() {
        let proceed = HTTPResponseHead(version: .http1_1, status: .continue)
        context?.writeAndFlush(wrapOutboundOut(.head(proceed)), promise: nil)
    }

    func answerWritten(_ exchange: HTTPExchange?, status: Int) -> HTTPConnectionStateMachine.Action {
        let now = now
        if let exchange {
            shared.metrics.requests(exchange.route, statusClass: status / 100).add(1)
            // How long someone watched is no latency.
            if !exchange.route.isStream {
                shared.metrics.onRequest(exchange.route, ((now - exchange.startedAt).nanoseconds + 999) / 1000)
            }
        }
        if status == 429 { shared.metrics[.http].rateLimited.add(1) }
        endEvents()
        entry = HTTPAccess.Entry()
        wire.expectHead()
        return machine.answerWritten(
            closes: exchange?.closes ?? true, output: wire.output, isCrowded: shared.isCrowded, now: now)
    }
}
