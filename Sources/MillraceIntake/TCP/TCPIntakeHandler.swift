internal import Logging
internal import MillraceAccess
internal import MillraceChannels
internal import MillraceEvent
internal import MillraceTelemetry
internal import NIOCore
internal import NIOExtras
internal import NIOSSL

/// One TCP connection: passes events to its state machine and carries out the actions.
///
/// The socket is read no further while the record channel is full, while too many of its bytes wait for their answer,
/// while its answers are not taken, or while the spool refuses.
final class TCPIntakeHandler: ChannelDuplexHandler {
    typealias InboundIn = ByteBuffer
    typealias OutboundIn = ByteBuffer
    typealias OutboundOut = ByteBuffer

    private let shared: TCPIntakeShared
    private var settings: LiveCopy<TCPIntakeConfiguration>
    private var machine: TCPConnectionStateMachine
    private var lines: TCPLineReader
    private var access: TCPAccess
    /// Of a failed authentication: counts among those that wait until its answer is written.
    private var failure: FailedAuthentications.Wait?
    private var context: ChannelHandlerContext?
    /// Outlives the socket: lines of a connection without acks may still be waiting for the spool.
    private let eventLoop: any EventLoop
    private var timer: (deadline: NIODeadline, task: Scheduled<Void>)?
    /// The input ended without TLS's own end: someone may have cut it.
    private var isInputCut = false
    private var registration: OpenConnections.Registration?
    /// True while an action is carried out: an event that it causes waits for its turn.
    private var isActing = false

    private var bound: NIOLoopBound<TCPIntakeHandler> { NIOLoopBound(self, eventLoop: eventLoop) }

    /// `remote`: the client's address. `clientSubject`: of the verified client certificate.
    init(shared: TCPIntakeShared, eventLoop: any EventLoop, remote: SocketAddress?, clientSubject: String? = nil) {
        self.shared = shared
        self.eventLoop = eventLoop
        settings = LiveCopy(shared.configuration)
        access = TCPAccess(shared.access, remote: remote, clientSubject: clientSubject)
        var refusal: TCPConnectionEnd?
        if !access.enterAddress() {
            refusal = .tooManyOfAddress
        } else if shared.limiter.enter() == nil {
            refusal = .tooManyConnections
        }
        machine = TCPConnectionStateMachine(
            bounds: TCPConnectionBounds(settings.value), refusal: refusal, at: eventLoop.now)
        lines = TCPLineReader(shared: shared, settings.value)
    }

    // MARK: Events

    func handlerAdded(context: ChannelHandlerContext) {
        self.context = context
    }

    func handlerRemoved(context: ChannelHandlerContext) {
        self.context = nil
    }

    func channelActive(context: ChannelHandlerContext) {
        lines.peer = context.remoteAddress?.peerName ?? "unknown"
        shared.connectionOpened(hasPlace: machine.hasPlace)
        registration = shared.connections.add { [bound, eventLoop] in
            eventLoop.execute {
                bound.value.takeSettings()
                bound.value.act()
            }
        }
        act()
        context.fireChannelActive()
    }

    func channelInactive(context: ChannelHandlerContext) {
        registration.map(shared.connections.remove)
        machine.socketClosed()
        access.grant?.forget(self)
        access.leave()
        failure = nil
        act()
        context.fireChannelInactive()
    }

    func channelRead(context: ChannelHandlerContext, data: NIOAny) {
        guard machine.takesBytes else { return }
        takeSettings()
        let buffer = unwrapInboundIn(data)
        shared.metrics[.tcp].bytesReceived.add(buffer.readableBytes)
        buffer.withUnsafeReadableBytes {
            if lines.isAtStart, TLSHello.isOne($0) { machine.firstLineReceived(.tlsHello) }
            lines.append($0)
        }
        machine.bytesReceived(at: eventLoop.now)
    }

    func channelReadComplete(context: ChannelHandlerContext) {
        act()
        context.fireChannelReadComplete()
    }

    func channelWritabilityChanged(context: ChannelHandlerContext) {
        machine.writabilityChanged(context.channel.isWritable)
        act()
        context.fireChannelWritabilityChanged()
    }

    func read(context: ChannelHandlerContext) {
        if machine.readAsked() { context.read() }
    }

    func userInboundEventTriggered(context: ChannelHandlerContext, event: Any) {
        switch event {
        case ChannelEvent.inputClosed: machine.inputClosed(at: eventLoop.now)
        case is ChannelShouldQuiesceEvent: machine.drainRequested(at: eventLoop.now)
        default: return context.fireUserInboundEventTriggered(event)
        }
        act()
    }

    func errorCaught(context: ChannelHandlerContext, error: any Error) {
        if case NIOSSLError.uncleanShutdown = error {
            isInputCut = true
            return
        }
        shared.logger.debug("connection failed", metadata: [.peer: "\(lines.peer)", .error: "\(error)"])
        context.close(promise: nil)
    }

    /// What was reloaded is in force from the next byte on.
    private func takeSettings() {
        guard settings.refresh() else { return }
        machine.boundsChanged(TCPConnectionBounds(settings.value))
        lines.settingsChanged(settings.value)
        access.limitsChanged()
    }

    private func submissionEnded(_ batch: TCPBatch, id: UInt64, _ outcome: Submission.Outcome) {
        if case .failed(let refusal) = outcome {
            machine.batchRefused(batch, id: id, refusal, at: eventLoop.now)
        } else {
            for record in batch.records {
                shared.metrics.countAccepted(record.kind, record.count, tenant: record.tenant)
                if record.kind != .refused { access.grant?.use.countLines(record.count) }
            }
            machine.ackReady(id, outcome.committed)
        }
        act()
    }

    // MARK: Actions

    private func act() {
        guard !isActing else { return }
        isActing = true
        let now = eventLoop.now
        while let action = machine.next(at: now) { perform(action, at: now) }
        if machine.isMemoryScarce, lines.openBytes <= MemoryBudget.freeBytes { lines.compact() }
        machine.bytesHeld(lines.heldBytes, lineBytes: lines.openBytes, lineNumber: lines.lineNumber, at: now)
        while let action = machine.next(at: now) { perform(action, at: now) }
        isActing = false
        if machine.takeRead() { context?.read() }
        setTimer()
    }

    /// Does one thing. `now`: of this turn.
    private func perform(_ action: TCPConnectionStateMachine.Action, at now: NIODeadline) {
        switch action {
        case .tellLimit:
            shared.metrics[.tcp].rateLimited.add(1)
            write(TCPAnswers.limit)
        case .greet:
            write(TCPAnswers.hello(version: settings.value.serverVersion, tenant: access.tenant))
        case .cut(let takesLast):
            guard mayCut(at: now) else { return }
            let cut = lines.cut(takesLast: takesLast && !isInputCut, at: now)
            if let first = cut.firstLine { enter(first, at: now) }
            if let batch = cut.batch, let rates = access.rates {
                rates.take(events: batch.lineCount + batch.refusals.count, bytes: batch.byteCount)
            }
            machine.linesReceived(cut)
        case .submit(let batch, let id, let acknowledgement): submit(batch, id: id, acknowledgement)
        case .awaitChannel:
            shared.channel.whenWritable(lane: access.lane) { [bound, eventLoop] in
                eventLoop.execute {
                    bound.value.machine.channelEmptied()
                    bound.value.act()
                }
            }
        case .askSpool: machine.spoolAsked(shared.channel.refusal, at: now)
        case .answer(let answer): write(TCPAnswers.answer(answer))
        case .end(let end): self.end(end)
        case .dropLines: lines.removeAll()
        case .abandon(let lineCount): shared.linesLost(lineCount, peer: lines.peer)
        case .joinWaiters:
            guard shared.waiters.enter() != nil else { return }
            machine.waitersJoined()
            shared.placeLeft()
        case .leaveWaiters: shared.waiters.leave()
        case .leavePlace: shared.placeLeft()
        case .close: context?.close(promise: nil)
        }
    }

    // MARK: Access

    /// Lets the connection in by its first line, or sees to its end.
    private func enter(_ first: TCPFirstLine, at now: NIODeadline) {
        do throws(AccessRefusal) {
            try access.enter(first)
            machine.firstLineReceived(first)
            senderChanged()
        } catch {
            guard error.code == .unauthenticated else {
                return machine.accessRefused(TCPConnectionEnd(error), at: now)
            }
            failure = shared.authenticationFailures.failed(from: access.address, peer: lines.peer)
            guard let failure else { return machine.accessRefused(nil, at: now) }
            machine.accessRefused(TCPConnectionEnd(error), at: now + TimeAmount(failure.delay))
        }
    }

    private func senderChanged() {
        lines.setSender(access)
        // Where senders share the event loop, one that floods gives it back after each read.
        if access.grant != nil { try? context?.channel.syncOptions?.setOption(.maxMessagesPerRead, value: 1) }
        access.grant?.whenEnded(self) { [bound, eventLoop] in
            eventLoop.execute {
                guard bound.value.context != nil else { return }
                _ = bound.value.isStillIn(at: bound.value.eventLoop.now)
                bound.value.act()
            }
        }
    }

    /// Whether the sender may send, and more now.
    private func mayCut(at now: NIODeadline) -> Bool {
        guard isStillIn(at: now) else { return false }
        guard let excess = access.rates?.excess() else { return true }
        return !machine.rateExceeded(until: now + TimeAmount(excess.wait))
    }

    /// False where the sender's key is no longer in force, so that the connection ends.
    private func isStillIn(at now: NIODeadline) -> Bool {
        do throws(AccessRefusal) {
            if try access.renew() { senderChanged() }
            return true
        } catch {
            return !machine.accessEnded(TCPConnectionEnd(error), at: now)
        }
    }

    // MARK: Ends

    private func submit(_ batch: TCPBatch, id: UInt64, _ acknowledgement: Submission.Acknowledgement) {
        var submission = Submission(
            records: batch.records, acknowledgement: acknowledgement,
            reportsMax: settings.value.tcp.reportedLinesMax
        ) { [bound, eventLoop] outcome in
            eventLoop.execute { bound.value.submissionEnded(batch, id: id, outcome) }
        }
        submission.lane = access.lane
        if shared.channel.send(submission) == .pause { machine.channelFilled() }
    }

    /// Gives the client a moment to read: a reset would discard what was written and not read yet.
    private func end(_ end: TCPConnectionEnd?) {
        lines.removeAll()
        failure = nil
        if let end {
            shared.ended(end, peer: lines.peer)
            write(TCPAnswers.end(end))
        }
        guard let context else { return }
        // Not at once: where the client has closed its side, NIO would drop what the socket has not taken.
        let sent = eventLoop.makePromise(of: Void.self)
        sent.futureResult.whenComplete { [bound] _ in
            guard let context = bound.value.context else { return }
            let closed = bound.value.eventLoop.makePromise(of: Void.self)
            closed.futureResult.whenComplete { _ in
                bound.value.machine.outputClosed(at: bound.value.eventLoop.now)
                bound.value.act()
            }
            context.close(mode: .output, promise: closed)
        }
        context.writeAndFlush(wrapOutboundOut(ByteBuffer()), promise: sent)
    }

    private func write(_ bytes: [UInt8]) {
        guard let context else { return }
        context.writeAndFlush(wrapOutboundOut(context.channel.allocator.buffer(bytes: bytes)), promise: nil)
    }

    /// One timer for all deadlines; one that moved on finds nothing to do and is set again.
    private func setTimer() {
        guard let deadline = machine.deadline else {
            timer?.task.cancel()
            timer = nil
            return
        }
        if let timer, timer.deadline <= deadline { return }
        timer?.task.cancel()
        let task = eventLoop.scheduleTask(deadline: deadline) { [bound] in
            bound.value.timer = nil
            bound.value.machine.deadlineElapsed(at: bound.value.eventLoop.now)
            bound.value.act()
        }
        timer = (deadline, task)
    }
}
