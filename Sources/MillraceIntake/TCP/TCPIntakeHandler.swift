internal import Logging
internal import MillraceChannels
internal import MillraceEvent
internal import NIOCore
internal import NIOExtras
internal import MillraceTelemetry

/// One TCP connection: collects what is read, cuts lines, validates them, submits them as records, writes the answers.
///
/// All lines of one read go into one submission. The connection is read no further while the record channel is full,
/// while too many of its bytes wait for their answer, while its answers are not taken, or while the spool refuses.
/// What was received is never dropped then: it waits here and is offered again.
final class TCPIntakeHandler: ChannelDuplexHandler {
    typealias InboundIn = ByteBuffer
    typealias OutboundIn = ByteBuffer
    typealias OutboundOut = ByteBuffer

    /// What all connections of one intake share.
    struct Shared: Sendable {
        var configuration: TCPIntakeConfiguration
        var channel: RecordChannel
        var metrics: IntakeMetrics
        var refusalLog: RefusalLog
        var requestLog: RefusalLog
        var closeLog: RefusalLog
        var memoryLog: RefusalLog
        var limiter: ConnectionLimiter
        /// Half-closed connections that wait for commits.
        var waiters: ConnectionLimiter
        var logger: Logger
    }

    private enum Phase {
        case open
        /// Told why it ends; what still comes is thrown away.
        case lingering
        /// The socket is gone. Lines of a one-way connection may still be on their way.
        case closed
    }

    private let shared: Shared
    private let parser = LoopParser.ofThisThread
    private var machine: TCPConnectionStateMachine
    private var phase = Phase.open
    private var context: ChannelHandlerContext?
    /// Outlives the socket: one-way lines may still be waiting for the spool.
    private let eventLoop: any EventLoop
    private var peer = "unknown"

    private var cutter: LineCutter
    /// Accepted lines in the cutter's bytes, not yet in `builder`: they go there together.
    private var run: LineRun?
    private var builder: RecordBuilder
    private var refusals: [TCPConnectionStateMachine.LineRefusal] = []
    private var refusalBytes = 0
    private var refused: RefusalStateMachine

    private var isChannelFull = false
    private var isReadPending = false
    private var isCutting = false
    private var refusedBatches = TCPRefusedBatches()
    private var isRetryScheduled = false
    /// The spool takes nothing any more: the connection ends with the last ack that is true.
    private var isGivingUp = false
    private var hasPlace: Bool
    /// Half-closed, and counted among those who wait for commits instead.
    private var isWaiter = false
    /// Submissions without an outcome.
    private var flightCount = 0
    private var lastReadAt = NIODeadline.now()
    private var idleTimer: Scheduled<Void>?
    private var memory: TCPConnectionMemory
    private var memoryTimer: Scheduled<Void>?

    /// `hasPlace`: false when the connection is one too many, only to be told so.
    init(shared: Shared, eventLoop: any EventLoop, hasPlace: Bool) {
        self.shared = shared
        self.eventLoop = eventLoop
        self.hasPlace = hasPlace
        machine = TCPConnectionStateMachine(inflightBytesMax: shared.configuration.inflightBytesMax)
        refused = RefusalStateMachine(bounds: shared.configuration.refusals)
        cutter = LineCutter(
            lineBytesMax: shared.configuration.limits.lineBytesMax,
            prefixBytesMax: shared.configuration.refusedLineBytesMax)
        builder = RecordBuilder(tenant: shared.configuration.tenant, receivedAt: .now)
        memory = TCPConnectionMemory(shared.configuration.memory)
    }

    // MARK: Channel events

    func handlerAdded(context: ChannelHandlerContext) {
        self.context = context
    }

    func handlerRemoved(context: ChannelHandlerContext) {
        self.context = nil
    }

    func channelActive(context: ChannelHandlerContext) {
        peer = context.remoteAddress?.peerName ?? "unknown"
        if hasPlace {
            shared.metrics[.tcp].connectionsOpen.add(1)
            shared.metrics[.tcp].connectionsAccepted.add(1)
        } else {
            shared.metrics[.tcp].connectionsRefused.add(1)
            refuseConnection(
                code: "too_many_connections", message: "every connection is taken (tcp.connections_max); try later")
        }
        watchIdleness()
        context.fireChannelActive()
    }

    func channelInactive(context: ChannelHandlerContext) {
        phase = .closed
        machine.inputEnded()
        // A client that gets no answers sends nothing again: what it sent whole goes in. One that gets acks will.
        if !machine.isOneWay {
            refusedBatches.removeAll()
            cutter.removeAll()
        }
        cut()
        idleTimer?.cancel()
        leaveIfDone()
        context.fireChannelInactive()
    }

    func channelRead(context: ChannelHandlerContext, data: NIOAny) {
        guard phase == .open else { return }
        lastReadAt = .now()
        let buffer = unwrapInboundIn(data)
        shared.metrics[.tcp].bytesReceived.add(buffer.readableBytes)
        buffer.withUnsafeReadableBytes { cutter.append($0) }
    }

    func channelReadComplete(context: ChannelHandlerContext) {
        cut()
        context.fireChannelReadComplete()
    }

    func channelWritabilityChanged(context: ChannelHandlerContext) {
        if context.channel.isWritable { resume() }
        context.fireChannelWritabilityChanged()
    }

    func read(context: ChannelHandlerContext) {
        if phase == .open, !mayRead { isReadPending = true } else { context.read() }
    }

    func userInboundEventTriggered(context: ChannelHandlerContext, event: Any) {
        switch event {
        case ChannelEvent.inputClosed:
            machine.inputEnded()
            if phase == .open { resume() } else { close(after: lingerTimeout) }
            leavePlaceIfGone()
        case is ChannelShouldQuiesceEvent:
            machine.quiesceRequested()
            close(after: shared.configuration.drainTimeout)
            resume()
        default:
            context.fireUserInboundEventTriggered(event)
        }
    }

    func errorCaught(context: ChannelHandlerContext, error: any Error) {
        shared.logger.debug("connection failed", metadata: ["peer": "\(peer)", "error": "\(error)"])
        context.close(promise: nil)
    }

    // MARK: Reading on, holding back, ending

    private var mayCut: Bool {
        !isChannelFull && refusedBatches.isEmpty && machine.mayCut && !refused.isSpent
            && (context?.channel.isWritable ?? true)
    }

    private var mayRead: Bool { mayCut && machine.mayRead && phase == .open && !memory.isHeldBack }

    /// Something that held the connection back may be over.
    private func resume() {
        cut()
        if isReadPending, mayRead {
            isReadPending = false
            context?.read()
        }
    }

    private func endIfDone() {
        if refused.isSpent { return endIfRefused() }
        let isWaitingForMore = !machine.isInputEnded && !machine.isQuiescing
        guard !isWaitingForMore, machine.isSettled, mayCut, phase == .open else { return }
        linger()
    }

    /// Ends a connection that sent too much that is refused, behind the answers to all that was taken.
    private func endIfRefused() {
        guard machine.isSettled, phase == .open else { return }
        shared.metrics[.tcp].connectionsClosed.add(1)
        shared.closeLog.refused("too_many_refused_lines", peer: peer)
        refuseConnection(
            code: "too_many_refused_lines",
            message: "\(shared.configuration.refusals.linesMax) more lines were refused than accepted "
                + "(tcp.refused_lines_max), so the connection is closed; see the first refusals")
    }

    private func leaveIfDone() {
        if isWaiter, flightCount == 0, phase == .closed || machine.isSettled {
            isWaiter = false
            shared.waiters.leave()
        }
        guard phase == .closed, machine.isSettled || isGivingUp || !machine.isOneWay else { return }
        leavePlace()
    }

    private func leavePlace() {
        guard hasPlace else { return }
        hasPlace = false
        shared.limiter.leave()
        shared.metrics[.tcp].connectionsOpen.add(-1)
    }

    /// A client that waits for commits and has said that it sends nothing more may be gone: its connection counts among
    /// those, if there is room, and waits no longer than they may.
    private func leavePlaceIfGone() {
        guard phase == .open, hasPlace, machine.acknowledgement == .committed, !machine.isSettled else { return }
        if shared.waiters.enter() != nil {
            isWaiter = true
            leavePlace()
        }
        close(after: shared.configuration.committedWait)
    }

    private func watchIdleness() {
        guard shared.configuration.idleTimeout > .zero else { return }
        let bound = NIOLoopBound(self, eventLoop: eventLoop)
        idleTimer = eventLoop.scheduleTask(deadline: lastReadAt + TimeAmount(shared.configuration.idleTimeout)) {
            bound.value.endIfIdle()
        }
    }

    /// Counts what the connection holds, and does what follows when that is too much.
    private func holdMemory() {
        if memory.isScarce, cutter.openBytes <= MemoryBudget.freeBytes { cutter.compact() }
        let verdict = memory.holds(
            buffer: cutter.heldBytes, lineBytes: mayCut ? cutter.openBytes : 0, lineNumber: machine.lineNumber,
            waiting: machine.unansweredBytes, now: .now())
        guard phase == .open, verdict != .fine else { return }
        guard verdict == .lookAgain else {
            shared.memoryLog.refused(MemoryShortage.code, peer: peer)
            return refuseConnection(code: MemoryShortage.code, message: MemoryShortage.message)
        }
        guard memoryTimer == nil else { return }
        let bound = NIOLoopBound(self, eventLoop: eventLoop)
        let interval = memory.interval(retry: shared.configuration.retryInterval)
        memoryTimer = eventLoop.scheduleTask(in: TimeAmount(interval)) {
            bound.value.memoryTimer = nil
            bound.value.resume()
        }
    }

    /// Ends a connection on which nothing came for too long; not one that is held back, or waits for its acks.
    private func endIfIdle() {
        guard phase == .open, context != nil else { return }
        if !mayRead || !machine.isSettled { lastReadAt = .now() }
        guard lastReadAt + TimeAmount(shared.configuration.idleTimeout) <= .now() else { return watchIdleness() }
        guard case .answering = machine.mode else { return linger() }
        refuseConnection(code: "idle_timeout", message: "nothing came for as long as tcp.idle_timeout; connect again")
    }

    private func refuseConnection(code: String, message: String) {
        write(TCPAnswers.error(code: code, message: message))
        linger()
    }

    /// Takes no more lines, closes the output behind what was written, and gives the client a moment to read it: a
    /// reset would take it back.
    private func linger() {
        phase = .lingering
        run = nil
        cutter.removeAll()
        memory.release()
        guard let context else { return }
        let bound = NIOLoopBound(self, eventLoop: eventLoop)
        let flushed = eventLoop.makePromise(of: Void.self)
        flushed.futureResult.whenComplete { _ in
            bound.value.close(after: bound.value.machine.isInputEnded ? .zero : bound.value.lingerTimeout)
        }
        close(after: shared.configuration.drainTimeout)
        context.close(mode: .output, promise: flushed)
        if isReadPending {
            isReadPending = false
            context.read()
        }
    }

    private var lingerTimeout: Duration { shared.configuration.lingerTimeout }

    private func close(after delay: Duration) {
        guard let context else { return }
        guard delay > .zero else {
            context.close(promise: nil)
            return
        }
        let bound = NIOLoopBound(self, eventLoop: eventLoop)
        eventLoop.scheduleTask(in: TimeAmount(delay)) { bound.value.context?.close(promise: nil) }
    }

    private func write(_ bytes: [UInt8]) {
        guard let context, phase != .closed else { return }
        context.writeAndFlush(wrapOutboundOut(context.channel.allocator.buffer(bytes: bytes)), promise: nil)
    }

    // MARK: Cutting lines

    /// Cuts and submits all whole lines that may go now.
    private func cut() {
        guard !isCutting, phase != .lingering else { return }
        isCutting = true
        defer { isCutting = false }
        while mayCut, phase != .lingering, cutBatch() {}
        if mayCut, phase == .closed { cutter.removeAll() }
        holdMemory()
        if phase != .lingering { endIfDone() }
    }

    /// Takes lines up to the bounds of one submission and sends it. False when no line was left.
    private func cutBatch() -> Bool {
        builder.receivedAt = .now
        let linesBefore = machine.lineNumber
        defer { shared.metrics[.tcp].linesReceived.add(Int(machine.lineNumber - linesBefore)) }
        builder.expectedBytes = cutter.bytes.count
        var isEmpty = false
        while !isEmpty, !refused.isSpent,
            builder.byteCount + (run?.range.count ?? 0) + refusalBytes < Record.payloadBytesMax
        {
            if let line = cutter.next() { take(line) } else { isEmpty = true }
            guard phase != .lingering else { return false }
        }
        // A client that ends its stream in order means what it sent last.
        if isEmpty, !refused.isSpent, machine.isInputEnded, phase == .open, let line = cutter.last() { take(line) }
        guard phase != .lingering else { return false }
        endRun()
        cutter.release()
        return submit()
    }

    private func take(_ line: LineCutter.Line) {
        switch line {
        case .tooLong(let prefix, let byteCount): prefix.withUnsafeBytes { refuseLong($0, byteCount) }
        case .whole(let bytes, let offset):
            if machine.mode == .awaitingFirstLine, !greet(bytes) { return }
            guard bytes.count <= shared.configuration.limits.lineBytesMax else {
                refuseLong(bytes, bytes.count)
                return
            }
            let number = machine.lineReceived()
            do {
                let kind = try parser.validate(
                    bytes, limits: shared.configuration.limits.event, receivedAt: builder.receivedAt)
                refused.lineAccepted()
                extendRun(kind, bytes, at: offset)
            } catch {
                refuse(error, number: number, line: bytes, lineBytes: bytes.count)
            }
        }
    }

    /// More goes to the builder at once than a processor's first cache holds anyway.
    private static let runBytesMax = 64 << 10

    /// Adds a line. `offset`: where it starts in the cutter's bytes; nil when its `\n` does not follow it there.
    private func extendRun(_ kind: RecordKind, _ line: UnsafeRawBufferPointer, at offset: Int?) {
        guard let offset else {
            endRun()
            builder.append(kind, line)
            return
        }
        let end = offset + line.count + 1
        if let run, run.kind == kind, run.range.upperBound == offset, run.range.count < Self.runBytesMax {
            self.run = LineRun(kind: kind, range: run.range.lowerBound..<end, count: run.count + 1)
        } else {
            endRun()
            run = LineRun(kind: kind, range: offset..<end, count: 1)
        }
    }

    private func endRun() {
        guard let run else { return }
        self.run = nil
        builder.append(run.kind, lines: cutter.bytes.slice(run.range), count: run.count)
    }

    private func refuseLong(_ prefix: UnsafeRawBufferPointer, _ lineBytes: Int) {
        if machine.mode == .awaitingFirstLine, !greet(prefix) { return }
        let refusal = Refusal.lineTooLong(lineBytes, max: shared.configuration.limits.lineBytesMax)
        refuse(refusal, number: machine.lineReceived(), line: prefix, lineBytes: lineBytes)
    }

    /// Takes the connection's first line. False when it was a greeting, good or bad, or an HTTP request.
    private func greet(_ line: UnsafeRawBufferPointer) -> Bool {
        if HTTPRequestLine.isOne(line) {
            shared.requestLog.refused("http_request", peer: peer)
            write(TCPAnswers.httpRefusal)
            linger()
            return false
        }
        do {
            let greeting = try TCPGreeting.parse(line)
            machine.firstLineReceived(greeting: greeting)
            guard greeting != nil else { return true }
            write(TCPAnswers.hello(version: shared.configuration.serverVersion))
        } catch {
            refuseConnection(code: "invalid_hello", message: error.message)
        }
        return false
    }

    private func refuse(_ refusal: Refusal, number: UInt64, line: UnsafeRawBufferPointer, lineBytes: Int) {
        shared.metrics.refused(refusal.code).add(1)
        let isKept = refused.lineRefused(at: .now())
        guard machine.isOneWay else {
            refusals.append(TCPConnectionStateMachine.LineRefusal(line: number, refusal: refusal))
            refusalBytes += refusal.message.utf8.count + 64
            return
        }
        shared.refusalLog.refused(refusal.code.rawValue, peer: peer, isKept: isKept)
        guard isKept else { return shared.metrics[.tcp].linesNotKept.add(1) }
        let kept = line.slice(0..<min(line.count, shared.configuration.refusedLineBytesMax))
        endRun()
        let dead = RefusedLine(refusal: refusal, peer: peer, prefix: kept, lineBytes: lineBytes)
        dead.json.withUnsafeBytes { builder.append(.refused, $0) }
    }

    // MARK: Submitting

    /// Sends what was cut. False when that was nothing.
    private func submit() -> Bool {
        guard !builder.isEmpty || !refusals.isEmpty else { return false }
        let id = machine.batchSubmitted(byteCount: builder.byteCount + refusalBytes, refusals: refusals)
        refusals = []
        refusalBytes = 0
        let records = builder.take()
        if records.isEmpty { settle(id) } else { send(id, records) }
        return true
    }

    private func send(_ id: UInt64, _ records: [Record]) {
        let eventLoop = eventLoop
        let bound = NIOLoopBound(self, eventLoop: eventLoop)
        flightCount += 1
        let submission = Submission(records: records, acknowledgement: machine.acknowledgement) { outcome in
            eventLoop.execute { bound.value.submissionEnded(id, records, outcome) }
        }
        guard shared.channel.send(submission) == .pause, !isChannelFull else { return }
        isChannelFull = true
        shared.channel.whenWritable {
            eventLoop.execute {
                bound.value.isChannelFull = false
                bound.value.resume()
            }
        }
    }

    private func submissionEnded(_ id: UInt64, _ records: [Record], _ outcome: Submission.Outcome) {
        flightCount -= 1
        switch outcome {
        case .durable where machine.acknowledgement == .committed:
            // The daemon stops before the commit. The client keeps its last true ack, and sends these again.
            shared.metrics.countAccepted(records)
            phase = .closed
            context?.close(promise: nil)
            leaveIfDone()
        case .durable, .committed:
            shared.metrics.countAccepted(records)
            settle(id)
            resume()
            leaveIfDone()
        case .failed(let refusal):
            guard phase != .closed || machine.isOneWay else { return leaveIfDone() }
            refusedBatches.append(id, records)
            if refusal == .draining { isGivingUp = true } else { scheduleRetry() }
        }
        giveUpIfDue()
    }

    private func settle(_ id: UInt64) {
        if let answer = machine.batchSettled(id) { write(TCPAnswers.answer(answer)) }
    }

    private func scheduleRetry() {
        guard !isRetryScheduled else { return }
        isRetryScheduled = true
        let bound = NIOLoopBound(self, eventLoop: eventLoop)
        eventLoop.scheduleTask(in: TimeAmount(shared.configuration.retryInterval)) { bound.value.retry() }
    }

    private func retry() {
        isRetryScheduled = false
        guard shared.channel.refusal == nil || shared.channel.refusal == .draining else {
            scheduleRetry()
            return
        }
        for batch in refusedBatches.removeAll() { send(batch.id, batch.records) }
        resume()
    }

    /// Closes once the oldest batch without an answer is one that nobody will take.
    private func giveUpIfDue() {
        guard isGivingUp, let oldest = machine.oldestBatch, refusedBatches.contains(oldest) else { return }
        let lines = refusedBatches.lineCount
        refusedBatches.removeAll()
        phase = .closed
        context?.close(promise: nil)
        if machine.isOneWay {
            shared.metrics[.tcp].linesAbandoned.add(lines)
            shared.logger.error("lines lost", metadata: ["count": "\(lines)", "peer": "\(peer)", "code": "draining"])
        }
        leaveIfDone()
    }
}
