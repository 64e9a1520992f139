internal import Logging
internal import MillraceAccess
internal import MillraceEvent
internal import MillraceTelemetry
internal import NIOCore
internal import NIOExtras
internal import NIOHTTP1
internal import NIOSSL

/// One HTTP connection: passes events to its machine and carries out the actions. `POST /v1/events` is answered here,
/// other requests are passed on.
final class HTTPConnectionHandler: ChannelDuplexHandler {
    typealias InboundIn = HTTPServerRequestPart
    typealias InboundOut = HTTPServerRequestPart
    typealias OutboundIn = HTTPServerResponsePart
    typealias OutboundOut = HTTPServerResponsePart

    let shared: HTTPIntakeShared
    let wire: HTTPWireHandler
    let parser: EventParser
    let eventLoop: any EventLoop
    /// Nil in plain text.
    let peer: TLSPeer?
    var settings: LiveCopy<HTTPSettings>
    var machine: HTTPConnectionStateMachine
    var context: ChannelHandlerContext?
    var entrance = HTTPDoor.Entrance()
    /// What limits go by for the connection's address, and the connection's place among its others.
    var address: AddressUse?
    private var addressPlace: OpenPlace?
    /// Who sends the request in hand.
    var entry = HTTPAccess.Entry()
    /// For logs.
    var peerName = "unknown"
    /// What the routes answer to a failed authentication, until its time has come.
    var heldAnswer: HeldAnswer?
    var events: EventsRequest?
    private var timer: (task: Scheduled<Void>, time: NIODeadline)?
    private var isDelivering = false
    var isRouteAttached = false

    /// `parser`: used on the event loop only. `peer`: nil in plain text.
    init(
        shared: HTTPIntakeShared, wire: HTTPWireHandler, parser: EventParser, eventLoop: any EventLoop, peer: TLSPeer?
    ) {
        self.shared = shared
        self.wire = wire
        self.parser = parser
        self.eventLoop = eventLoop
        self.peer = peer
        settings = LiveCopy(shared.settings)
        machine = HTTPConnectionStateMachine(configuration: settings.value.configuration)
    }

    var now: NIODeadline { eventLoop.now }

    // MARK: Channel events

    func handlerAdded(context: ChannelHandlerContext) {
        self.context = context
        wire.onHeadStarted = {
            self.machine.requestBegun(now: self.now)
            self.moveTimer()
        }
    }

    func handlerRemoved(context: ChannelHandlerContext) {
        self.context = nil
        wire.onHeadStarted = {}
    }

    func channelActive(context: ChannelHandlerContext) {
        let address = context.localAddress
        entrance = HTTPDoor.Entrance(address: address?.ipAddress, port: address?.port)
        peerName = context.remoteAddress?.peerName ?? "unknown"
        guard enterAddress(context.remoteAddress) else {
            shared.metrics[.http].connectionsRefused.add(1)
            let refusal = AccessRefusal.rateLimited("limits.address_connections_max")
            return handle(machine.connectionRefused(HTTPProblem(refusal)))
        }
        guard let place = ConnectionPlace(shared.limiter, open: shared.metrics[.http].connectionsOpen) else {
            shared.metrics[.http].connectionsRefused.add(1)
            let problem = HTTPProblem(
                .tooManyConnections, "every connection is taken (http.connections_max); try later")
            return handle(machine.connectionRefused(problem))
        }
        shared.metrics[.http].connectionsAccepted.add(1)
        machine.connectionAccepted(place, isCrowded: shared.isCrowded, now: now)
        moveTimer()
        context.fireChannelActive()
    }

    /// False when the address has too many connections.
    private func enterAddress(_ remote: SocketAddress?) -> Bool {
        let access = shared.access
        guard let use = access.use(of: remote) else { return true }
        address = use
        addressPlace = use.connections.enter(max: access.limits.value.addressConnectionsMax)
        return addressPlace != nil
    }

    func channelInactive(context: ChannelHandlerContext) {
        machine.connectionClosed()
        entry = HTTPAccess.Entry()
        addressPlace = nil
        dropHeldAnswer()
        timer?.task.cancel()
        endEvents()
        context.fireChannelInactive()
    }

    func channelRead(context: ChannelHandlerContext, data: NIOAny) {
        guard machine.isOpen else { return }
        if settings.refresh() { machine.configuration = settings.value.configuration }
        let part = unwrapInboundIn(data)
        if case .body(let buffer) = part { shared.metrics[.http].bytesReceived.add(buffer.readableBytes) }
        machine.partReceived(part)
    }

    func channelReadComplete(context: ChannelHandlerContext) {
        deliver()
    }

    func channelWritabilityChanged(context: ChannelHandlerContext) {
        readOn()
        context.fireChannelWritabilityChanged()
    }

    func errorCaught(context: ChannelHandlerContext, error: any Error) {
        guard machine.isOpen else { return }
        switch error {
        case let error as HTTPParserError:
            machine.decoderFailed(HTTPFraming.problem(error))
            deliver()
        case is ByteToMessageDecoderError:
            break
        // The input ended without TLS's own end. A request says itself where it ends.
        case NIOSSLError.uncleanShutdown:
            break
        default:
            shared.logger.debug("connection failed", metadata: [.error: "\(error)"])
            context.close(promise: nil)
        }
    }

    func userInboundEventTriggered(context: ChannelHandlerContext, event: Any) {
        switch event {
        // Not passed on: the routes would close before their answer is written.
        case ChannelEvent.inputClosed: handle(machine.inputClosed())
        case is ChannelShouldQuiesceEvent: handle(machine.quiesceRequested(output: wire.output, now: now))
        default: context.fireUserInboundEventTriggered(event)
        }
    }

    func read(context: ChannelHandlerContext) {
        if machine.readRequested(isWritable: context.channel.isWritable) { context.read() }
    }

    // MARK: What the routes answer

    func write(context: ChannelHandlerContext, data: NIOAny, promise: EventLoopPromise<Void>?) {
        let part = unwrapOutboundIn(data)
        if !hold(part, promise) { write(part, promise, context) }
    }

    func write(_ part: HTTPServerResponsePart, _ promise: EventLoopPromise<Void>?, _ context: ChannelHandlerContext) {
        switch machine.routesWrote(part) {
        case .write(let part): context.write(wrapOutboundOut(part), promise: promise)
        case .skip: promise?.succeed()
        case .fail: promise?.fail(ChannelError.ioOnClosedChannel)
        case .end(let trailers, let exchange, let status):
            context.writeAndFlush(wrapOutboundOut(.end(trailers)), promise: promise)
            handle(answerWritten(exchange, status: status))
        }
    }

    func close(context: ChannelHandlerContext, mode: CloseMode, promise: EventLoopPromise<Void>?) {
        guard heldAnswer != nil else { return context.close(mode: mode, promise: promise) }
        heldAnswer?.closes.append((mode, promise))
    }

    func flush(context: ChannelHandlerContext) {
        guard heldAnswer == nil else { return }
        context.flush()
        machine.routesFlushed(output: wire.output, now: now)
        moveTimer()
    }

    // MARK: What the machine decides

    func handle(_ action: HTTPConnectionStateMachine.Action) {
        run(action)
        deliver()
    }

    /// Delivers what has come, as far as the order of answers allows.
    func deliver() {
        guard !isDelivering else { return }
        isDelivering = true
        while let action = machine.nextAction(output: wire.output, now: now) { run(action) }
        isDelivering = false
        if isRouteAttached { context?.fireChannelReadComplete() }
        moveTimer()
        readOn()
    }

    private func readOn() {
        guard let context, machine.heldReadMayGo(isWritable: context.channel.isWritable) else { return }
        context.read()
    }

    /// The timer is moved only when it must fire earlier; a later deadline is noticed when it fires, so that busy
    /// connections don't pay for a timer with each request.
    private func moveTimer() {
        let time = machine.deadline
        guard time < timer?.time ?? .distantFuture else { return }
        timer?.task.cancel()
        let bound = NIOLoopBound(self, eventLoop: eventLoop)
        timer = (eventLoop.scheduleTask(deadline: time) { bound.value.timerFired() }, time)
    }

    private func timerFired() {
        timer = nil
        handle(
            machine.deadlineElapsed(
                output: wire.output, isWritable: context?.channel.isWritable ?? true, isCrowded: shared.isCrowded,
                now: now))
    }
}
