internal import MillraceAccess
internal import MillraceChannels
internal import MillraceDialects
internal import MillraceEvent
internal import MillraceRoutes
internal import MillraceTelemetry
internal import MillraceTreatment
internal import NIOCore

/// One `POST /v1/events`, or a request in a dialect, from its head to its answer: carries out what its machine decides. Lives on its connection's
/// event loop.
///
/// The body streams: text is made from it a piece at a time, cut into items, and each item is validated where it lies.
/// Accepted lines gather to one submission of about `submissionBytes`; a small body is submitted whole, at its end. A body
/// in a dialect is gathered whole, within `http.sdk_body_max`, and its messages take the place of items.
final class EventsRequest {
    let shared: HTTPIntakeShared
    /// Of its start.
    private let settings: HTTPSettings
    let eventLimits: EventLimits
    let policy: LinePolicy?
    let itemBytesMax: Int
    /// What is kept in the place of an item.
    private var written: [UInt8] = []
    private let eventLoop: any EventLoop
    let parser: EventParser
    var machine: EventsRequestStateMachine
    var input = InputBuffer()
    private var decompressor: BodyDecompressor
    private var cutter: ItemCutter
    var builder: RecordBuilder
    let memory: MemoryReservation
    /// Who sends it; nil where no key is wanted, or none is known yet.
    var grant: Grant?
    /// Of a request whose key its body holds.
    var entry: HTTPAccess.Entry?
    let door: HTTPAccess
    let route: HTTPRoute
    let dialect: DialectRequest?
    /// Read, and not cut to its end.
    var messages: (any DialectMessages)?
    /// Of its messages as lines.
    var messageBytes = 0
    /// The last message as a line, padded.
    var line: [UInt8] = []
    /// Its body held no key in force.
    var isKeyMissing = false
    var rates: SenderRates?
    private var rateTimer: Scheduled<Void>?
    /// For dead letters.
    let peer: String
    /// What is not counted against the sender's rates yet.
    var uncounted = (events: 0, bytes: 0)
    private var commitTimer: Scheduled<Void>?

    /// Called after each change that comes from a submission or a time limit, not from a call.
    var onProgress: (EventsProgress) -> Void = { _ in }

    /// `parser`: used on the event loop only.
    init(
        head: EventsRequestHead, route: HTTPRoute, access: HTTPAccess.Entry, door: HTTPAccess, peer: String,
        shared: HTTPIntakeShared, settings: HTTPSettings, parser: EventParser, eventLoop: any EventLoop
    ) {
        grant = access.grant
        rates = access.rates
        entry = access.awaitsKey ? access : nil
        self.door = door
        self.route = route
        dialect = head.dialect
        self.peer = peer
        self.shared = shared
        self.settings = settings
        let configuration = settings.configuration
        var position: (@Sendable (ClosedRange<UInt64>) -> String)?
        if head.wantsPosition, let positions = configuration.positions {
            let tenant = access.grant?.tenant ?? 0
            position = { positions.text($0, tenant: tenant) }
        }
        eventLimits = configuration.eventLimits
        policy = configuration.policy
        itemBytesMax = configuration.limits.lineBytes
        self.eventLoop = eventLoop
        self.parser = parser
        machine = EventsRequestStateMachine(
            acknowledgement: head.acknowledgement, configuration: configuration,
            audience: HTTPAudience(route: route, isProtobuf: head.dialect?.isProtobuf ?? false),
            reply: head.dialect.flatMap { DialectReply($0) },
            position: position)
        memory = MemoryReservation(configuration.memory, for: .bodies)
        decompressor = BodyDecompressor(
            encoding: head.encoding, outputBytesMax: configuration.http.decompressedBytesMax,
            ratioMax: configuration.http.decompressionRatioMax)
        cutter = ItemCutter(format: head.format, itemBytesMax: itemBytesMax)
        builder = RecordBuilder(tenant: access.grant?.tenant ?? 0, receivedAt: .now)
    }

    var configuration: HTTPIntakeConfiguration { settings.configuration }

    func bodyReceived(_ buffer: ByteBuffer) -> EventsProgress {
        renewGrant()
        if !machine.isBroken { decompressor.push(buffer) }
        machine.bodyReceived()
        return proceed()
    }

    func bodyEnded() -> EventsProgress {
        machine.bodyEnded()
        return proceed()
    }

    /// The body can't go on.
    func bodyBroke(_ problem: HTTPProblem) -> EventsProgress {
        breakOff(problem)
        return proceed()
    }

    /// A body may last; its key may end meanwhile.
    private func renewGrant() {
        guard let grant, grant.isEnded, !machine.isBroken else { return }
        self.grant = shared.access.renewed(grant, clientSubject: door.clientSubject)
        if self.grant == nil { breakOff(HTTPProblem(.unauthenticated)) }
    }

    private func proceed() -> EventsProgress {
        while true {
            switch machine.nextAction(gatheredBytes: builder.byteCount) {
            case .cut: cut()
            case .submit: submit()
            case .rest(let isBehind):
                if countRates() { continue }
                if isBehind { return .behind }
                memory.count(heldBytes)
                return machine.isAwaitingCommit ? .awaitingCommit : .reading
            case .answer(let answer):
                _ = countRates()
                rateTimer?.cancel()
                memory.count(heldBytes)
                return .answered(answer)
            }
        }
    }

    /// Bytes that count against the memory budget.
    var heldBytes: Int {
        let held =
            input.capacity + decompressor.heldBytes + builder.byteCount + machine.flightBytes + messagesBytes
        return held > MemoryBudget.freeBytes ? held : 0
    }

    // MARK: Cutting

    private func cut() {
        if let messages { return cut(messages) }
        guard dialect == nil else { return refill() }
        switch cutter.next(&input) {
        case .needsMore: refill()
        case let step: take(step)
        }
    }

    private func refill() {
        do throws(HTTPProblem) {
            if try decompressor.pull(into: &input) {
                guard memory.resize(to: heldBytes) else { throw HTTPProblem(.memoryBudget, MemoryShortage.message) }
                if let dialect { try checkSize(of: dialect) }
                return
            }
            guard machine.inputCut() else { return }
            try decompressor.finish()
            if let dialect { return try open(dialect) }
            take(cutter.last(&input))
            if machine.isEmpty, !machine.isBroken, !cutter.isDone {
                throw HTTPProblem(.emptyBody, "the body is empty; send an object, an array, or one object a line")
            }
            machine.lastItemCut()
        } catch {
            breakOff(error)
        }
    }

    private func take(_ step: ItemCutter.Step) {
        switch step {
        case .needsMore: break
        case .broken(let problem): breakOff(problem)
        case .tooLong(let byteCount):
            refuse(.lineTooLong(byteCount, max: itemBytesMax))
        case .item(let bytes):
            uncounted.bytes += bytes.count
            do throws(Refusal) {
                try take(item: bytes)
            } catch {
                refuse(error)
            }
        }
    }

    /// Judges an item, which has `EventParser.paddingBytes` readable bytes behind it, and gathers what is kept of it.
    func take(item bytes: UnsafeRawBufferPointer) throws(Refusal) {
        let kind = try parser.validate(bytes, limits: eventLimits, receivedAt: builder.receivedAt)
        if let types = grant?.eventTypes { try parser.requireType(kind, types) }
        if let policy { try take(bytes, kind, by: policy) } else { keep(bytes, kind) }
        uncounted.events += 1
        shared.metrics[.http].linesReceived.add(1)
    }

    private func take(
        _ item: UnsafeRawBufferPointer, _ kind: RecordKind, by policy: LinePolicy
    ) throws(Refusal) {
        let fate = try policy.fate(
            of: item, kind, tenant: builder.tenant, peer: peer, by: parser, receivedAt: builder.receivedAt,
            into: &written)
        switch fate {
        case .keep: keep(item, kind)
        case .replace(let counts):
            shared.metrics.count(counts)
            keepWritten(kind)
        case .quarantine: keepWritten(.refused)
        case .sampleOut:
            shared.metrics.sampledOut(kind).add(1)
            machine.itemSampledOut()
        }
    }

    private func keep(_ item: UnsafeRawBufferPointer, _ kind: RecordKind) {
        builder.append(kind, item, isPretty: cutter.format == .json)
        machine.itemAccepted()
    }

    private func keepWritten(_ kind: RecordKind) {
        written.withUnsafeBytes { builder.append(kind, $0) }
        machine.itemAccepted()
    }

    func refuse(_ refusal: Refusal) {
        countRefused(refusal)
        machine.itemRefused(refusal)
    }

    func countRefused(_ refusal: Refusal) {
        uncounted.events += 1
        shared.metrics[.http].linesReceived.add(1)
        shared.metrics.refused(refusal.code).add(1)
    }

    func breakOff(_ problem: HTTPProblem) {
        if machine.bodyBroke(problem) { discard() }
    }

    /// Drops what was received and has not been submitted.
    private func discard() {
        builder = RecordBuilder(tenant: builder.tenant, receivedAt: .now)
        messages = nil
        input.removeAll()
        decompressor.close()
    }

    // MARK: Rates

    /// Counts what was cut. True where that is more than its sender may send, so that the body is held back from now on.
    private func countRates() -> Bool {
        guard let rates, uncounted.events > 0 else { return false }
        rates.take(events: uncounted.events, bytes: uncounted.bytes)
        uncounted = (0, 0)
        guard let excess = rates.excess(), machine.rateExceeded() else { return false }
        let bound = NIOLoopBound(self, eventLoop: eventLoop)
        rateTimer = eventLoop.scheduleTask(in: TimeAmount(excess.wait)) {
            bound.value.machine.rateAllows()
            bound.value.proceedAlone()
        }
        return true
    }

    // MARK: Submitting

    private var lane: UInt64 { grant?.use.lane ?? 0 }

    private func submit() {
        let isWaiter = machine.acknowledgement == .committed && shared.waiters.enter() != nil
        if machine.acknowledgement == .committed, !isWaiter { machine.commitWaitRefused() }
        let byteCount = builder.byteCount
        let records = builder.take()
        // A whole body was received at one time.
        if dialect == nil { builder.receivedAt = .now }
        let number = machine.submitted(byteCount: byteCount, counts: records.map { ($0.kind, $0.count) })
        let eventLoop = eventLoop
        let bound = NIOLoopBound(self, eventLoop: eventLoop)
        var submission = Submission(
            records: records, acknowledgement: machine.acknowledgement,
            reportsMax: configuration.http.rejectedItemsMax
        ) { outcome in
            eventLoop.execute { bound.value.submissionEnded(number, isWaiter: isWaiter, outcome) }
        }
        if isWaiter {
            commitTimer = eventLoop.scheduleTask(in: TimeAmount(configuration.intake.committedWait)) {
                bound.value.stopWaiting(bound.value.machine.commitOverdue(number))
            }
            submission.onDurable = { sequences in
                eventLoop.execute {
                    bound.value.stopWaiting(bound.value.machine.submissionDurable(number, sequences))
                }
            }
        }
        submission.lane = lane
        guard shared.channel.send(submission) == .pause, machine.channelFilled() else { return }
        shared.channel.whenWritable(lane: lane) {
            eventLoop.execute {
                bound.value.machine.channelDrained()
                bound.value.proceedAlone()
            }
        }
    }

    /// `accepted`: what counts as accepted without its commit; nil while the request still waits for that.
    private func stopWaiting(_ accepted: EventsRequestStateMachine.Counts?) {
        guard let accepted else { return }
        count(accepted)
        proceedAlone()
    }

    /// `isWaiter`: the submission had a place among those who wait for a commit, which it keeps until now.
    private func submissionEnded(_ number: Int, isWaiter: Bool, _ outcome: Submission.Outcome) {
        if isWaiter { shared.waiters.leave() }
        switch machine.submissionEnded(number, outcome) {
        case .late: return
        case .accepted(let counts): count(counts)
        case .refused: discard()
        }
        commitTimer?.cancel()
        proceedAlone()
    }

    private func count(_ accepted: EventsRequestStateMachine.Counts) {
        for (kind, count) in accepted {
            shared.metrics.countAccepted(kind, count, tenant: builder.tenant)
            if kind != .refused { grant?.use.countLines(count) }
        }
    }

    private func proceedAlone() {
        onProgress(proceed())
    }
}
