/// The client's decisions: what is buffered, what goes out, what an answer settles, when to connect again, when to end.
///
/// 1. An event leaves the buffer only by an ack, so what was not acked when a connection ends goes out again, in order, with
///    the same id.
/// 2. A refusal counts once the ack that covers its line has come: before that, the line will be sent again.
/// 3. The buffer never holds more events or bytes than its bounds. Who waits for room gets it in the order of the calls.
/// 4. Whoever waits is told something in the end: an answer, or why there is none.
///
/// No clock, no chance and no I/O: times and random numbers are arguments, and `next` says what is to be done.
struct DeliveryStateMachine {
    typealias Instant = ContinuousClock.Instant

    private static let keptMax = 100
    /// Of one event's reports: as many as there could be folds.
    private static let reportsMax = 100

    private let bounds: Bounds
    private(set) var phase = Phase.running
    private var connection = Connection.none
    private(set) var buffer = EventBuffer()
    private var waiting: [Waiting] = []
    private var flushes: [(target: Int, ticket: Int)] = []
    /// By ordinal.
    private var heard: [Int: Heard] = [:]
    private var report = MillraceClient.FlushReport()
    private var failures = 0
    private var failingSince: Instant?
    private var retryAt: Instant?
    private(set) var serverVersion: String?

    init(_ bounds: Bounds) {
        self.bounds = bounds
    }

    var hasBytesToSend: Bool {
        if case .open = connection { buffer.hasUnsent } else { false }
    }

    /// Nothing waits for an answer or for room.
    private var isEmpty: Bool { buffer.count == 0 && waiting.isEmpty }

    // MARK: - Calls

    /// `isAwaited`: the caller waits for the answer, whose notice has its ticket; else for room alone.
    mutating func offer(_ event: MillraceClient.Event, ticket: Int, isAwaited: Bool) -> Admission {
        switch phase {
        case .running: break
        case .draining: return .refused(Self.closed)
        case .ended(let error): return .refused(error)
        }
        let bytes = EventBuffer.bytes(of: event)
        guard bytes <= bounds.bytesMax else {
            return .refused(
                MillraceClientError(
                    .eventTooLarge, "the event is \(bytes) bytes, more than bufferBytesMax (\(bounds.bytesMax))",
                    hint: "Make its payload smaller, or the buffer larger"))
        }
        if waiting.isEmpty, hasRoom(for: bytes) {
            buffer.append(.init(event: event, ticket: isAwaited ? ticket : nil))
            return .taken
        }
        guard bounds.waitsForRoom else {
            return .refused(
                MillraceClientError(
                    .bufferFull, "\(buffer.count) events (\(buffer.byteCount) bytes) wait for the daemon's answer",
                    hint: "Send again later; if this goes on, look whether the daemon is up", isRetryable: true))
        }
        waiting.append(Waiting(ticket: ticket, event: event, isAwaited: isAwaited))
        return .waits
    }

    /// Nil: a notice with the ticket comes.
    mutating func flush(ticket: Int) -> DeliveryNotice? {
        if case .ended(let error) = phase { return .failed(ticket: ticket, error) }
        guard buffer.count > 0 else { return .flushed(ticket: ticket, takeReport()) }
        flushes.append((buffer.nextOrdinal, ticket))
        return nil
    }

    /// The call waits no longer. What waited for room is not sent; what is in the buffer is.
    mutating func withdraw(ticket: Int) {
        waiting.removeAll { $0.ticket == ticket }
        flushes.removeAll { $0.ticket == ticket }
    }

    // MARK: - The connection

    /// A connection stands, and the greeting is on its way.
    mutating func connected(at now: Instant) {
        connection = .greeting(since: now)
        buffer.rewind()
        heard = [:]
    }

    /// The bytes that may go out now; at least a line where there is one.
    mutating func takeUnsent(upTo bytesMax: Int, at now: Instant) -> [UInt8] {
        guard case .open(let base, _) = connection else { return [] }
        // The time of an answer begins with what it is to.
        if buffer.sentCount == 0 { connection = .open(base: base, progressAt: now) }
        return buffer.takeUnsent(upTo: bytesMax)
    }

    /// Throws when what came is not what a daemon sends, or when the daemon ends the connection.
    mutating func received(
        _ message: ServerMessage?, at now: Instant
    ) throws(MillraceClientError) -> [DeliveryNotice] {
        guard let message else { throw Self.foreign("it sent a line that is no answer of Millrace") }
        switch connection {
        case .none: throw Self.foreign("it spoke on a closed connection")
        case .greeting:
            if let error = message.error { throw Self.turnedAway(error) }
            guard let hello = message.hello, hello.server == "millrace" else {
                throw Self.foreign("it did not answer the greeting")
            }
            serverVersion = hello.version
            connection = .open(base: buffer.settledCount, progressAt: now)
            return []
        case .open(let base, _):
            // Lines of this connection that went out whole: what is said is of one of them.
            let lineCount = buffer.settledCount - base + buffer.sentCount
            if let ack = message.ack {
                guard (buffer.settledCount - base...lineCount).contains(ack) else {
                    throw Self.foreign("it acknowledged lines that were not sent")
                }
                return acknowledged(base + ack, base: base, at: now)
            }
            if let line = message.line {
                guard line > buffer.settledCount - base, line <= lineCount else {
                    throw Self.foreign("it told of a line that was not sent")
                }
                hear(message, ordinal: base + line - 1)
                return []
            }
            if let limited = message.limited { return [.limited(limited.message)] }
            // How many of a stretch are parked or dead: each that is named has its own line.
            if message.lines != nil { return [] }
            if let error = message.error { throw Self.turnedAway(error) }
            throw Self.foreign("it sent an answer of an unknown kind")
        }
    }

    /// The connection ended, or could not be made. `chance`: 0 ..< 1, of the wait.
    mutating func connectionLost(
        _ error: MillraceClientError, at now: Instant, chance: Double
    ) -> [DeliveryNotice] {
        connection = .none
        buffer.rewind()
        heard = [:]
        guard error.isRetryable else { return end(error) }
        // A daemon that closes an idle connection, or stops, is no failure as long as nobody wants one.
        guard !isEmpty else {
            retryAt = nil
            return []
        }
        failures += 1
        let since = failingSince ?? now
        failingSince = since
        if let limit = bounds.giveUpAfter, now - since >= limit { return end(error) }
        retryAt = now + bounds.backoff.wait(failures: failures, chance: chance)
        return []
    }

    // MARK: - What is to be done

    /// While there is no connection.
    mutating func next(at now: Instant) -> Step {
        precondition(connection == .none, "asked while there is no connection")
        switch phase {
        case .ended(let error): return .fail(error)
        case .running:
            guard !isEmpty else { return .wait(until: nil) }
            if let retryAt, retryAt > now { return .wait(until: retryAt) }
            return .connect
        case .draining(let end):
            guard !isEmpty else { return .finish }
            guard end > now else { return .wait(until: end) }
            if let retryAt, retryAt > now { return .wait(until: min(retryAt, end)) }
            return .connect
        }
    }

    /// While there is a connection: nothing more will come and nothing is to be sent.
    var isFinished: Bool {
        if case .draining = phase { isEmpty } else { false }
    }

    /// When `checkDeadline` is to be called at the latest; nil: as long as nothing happens, never.
    var deadline: Instant? {
        var first: Instant?
        if case .draining(let end) = phase, !isEmpty { first = end }
        switch connection {
        case .none: break
        case .greeting(let since): first = min(first ?? since + bounds.greetingTimeout, since + bounds.greetingTimeout)
        case .open(_, let progressAt):
            guard buffer.sentCount > 0 else { break }
            first = min(first ?? progressAt + bounds.answerTimeout, progressAt + bounds.answerTimeout)
        }
        return first
    }

    /// Throws when the connection is to be given up.
    mutating func checkDeadline(at now: Instant) throws(MillraceClientError) {
        if case .draining(let end) = phase, end <= now, !isEmpty { throw undelivered("the shutdown's time is over") }
        guard let deadline, deadline <= now else { return }
        if case .greeting = connection {
            throw MillraceClientError(
                .connectionFailed, "the greeting was not answered in time",
                hint: "Check the address, and whether the daemon is well", isRetryable: true)
        }
        throw MillraceClientError(
            .connectionFailed, "nothing was answered for as long as answerTimeout",
            hint: "Check whether the daemon is well", isRetryable: true)
    }

    /// Takes nothing new from now on, and ends once all is answered or the time is over.
    mutating func shutdownRequested(at now: Instant) {
        guard case .running = phase else { return }
        phase = .draining(by: now + bounds.shutdownTimeout)
    }

    /// The client ends: tells everyone who waits.
    mutating func end(_ error: MillraceClientError) -> [DeliveryNotice] {
        if case .ended = phase { return [] }
        phase = .ended(error)
        connection = .none
        buffer.rewind()
        let tickets = buffer.takeTickets() + waiting.map(\.ticket) + flushes.map(\.ticket)
        (waiting, flushes, heard) = ([], [], [:])
        return tickets.map { .failed(ticket: $0, error) }
    }

    /// For `end`, where there is no other reason.
    func undelivered(_ why: String) -> MillraceClientError {
        MillraceClientError(
            .undelivered, "\(why), and \(buffer.count + waiting.count) events have no answer",
            hint: "Send them again: those that the daemon has count once", isRetryable: true)
    }
}

// MARK: - Answers

extension DeliveryStateMachine {
    private static let closed = MillraceClientError(
        .closed, "the client is shutting down", hint: "Send before the shutdown, or by another client")

    private static func foreign(_ what: String) -> MillraceClientError {
        MillraceClientError(
            .foreignServer, "what listens there does not speak Millrace's line protocol: \(what)",
            hint: "Check the address: it is one of the daemon's tcp.listen")
    }

    private static func turnedAway(_ error: ServerMessage.Failure) -> MillraceClientError {
        let isFinal = [
            "unauthenticated", "forbidden", "invalid_hello", "http_on_tcp", "tls_on_plain_text", "tls_required",
        ].contains(error.code)
        return MillraceClientError(
            .turnedAway, "the daemon ended the connection: \(error.code): \(error.message)",
            hint: isFinal
                ? "Fix that, then start the client again" : "Nothing: the client connects again by itself",
            reason: error.code, isRetryable: !isFinal)
    }

    private func hasRoom(for bytes: Int) -> Bool {
        buffer.count < bounds.eventsMax && buffer.byteCount + bytes <= bounds.bytesMax
    }

    /// `total`: events that are settled then.
    private mutating func acknowledged(_ total: Int, base: Int, at now: Instant) -> [DeliveryNotice] {
        let count = total - buffer.settledCount
        var notices: [DeliveryNotice] = []
        for _ in 0..<count {
            let ordinal = buffer.settledCount
            let entry = buffer.settleNext()
            if let notice = settle(entry, heard.removeValue(forKey: ordinal)) { notices.append(notice) }
        }
        guard count > 0 else { return [] }
        connection = .open(base: base, progressAt: now)
        (failures, failingSince, retryAt) = (0, nil, nil)
        notices += admit()
        while let first = flushes.first, first.target <= buffer.settledCount {
            flushes.removeFirst()
            notices.append(.flushed(ticket: first.ticket, takeReport()))
        }
        return notices
    }

    private mutating func settle(_ entry: EventBuffer.Entry, _ heard: Heard?) -> DeliveryNotice? {
        if let refusal = heard?.refusal {
            guard let ticket = entry.ticket else {
                let told = MillraceClient.Refusal(event: entry.event, code: refusal.code, message: refusal.message)
                report.refusedCount += 1
                if report.refusals.count < Self.keptMax { report.refusals.append(told) }
                return .refused(told)
            }
            return .failed(
                ticket: ticket,
                MillraceClientError(
                    .refused, "the daemon refused the event: \(refusal.message)",
                    hint: "Fix the event; it is not sent again", reason: refusal.code))
        }
        let receipt = MillraceClient.Receipt(id: entry.event.id, reports: heard?.reports ?? [])
        guard let ticket = entry.ticket else {
            report.acceptedCount += 1
            if !receipt.reports.isEmpty, report.reported.count < Self.keptMax { report.reported.append(receipt) }
            return nil
        }
        return .settled(ticket: ticket, receipt)
    }

    private mutating func admit() -> [DeliveryNotice] {
        var notices: [DeliveryNotice] = []
        var admitted = 0
        for next in waiting {
            guard hasRoom(for: EventBuffer.bytes(of: next.event)) else { break }
            buffer.append(.init(event: next.event, ticket: next.isAwaited ? next.ticket : nil))
            if !next.isAwaited { notices.append(.admitted(ticket: next.ticket)) }
            admitted += 1
        }
        waiting.removeFirst(admitted)
        return notices
    }

    private mutating func hear(_ message: ServerMessage, ordinal: Int) {
        var heard = heard[ordinal] ?? Heard()
        if let error = message.error {
            heard.refusal = error
        } else if heard.reports.count < Self.reportsMax {
            if let parked = message.parked { heard.reports.append(.init(parked, .parked)) }
            if let dead = message.deadLetter { heard.reports.append(.init(dead, .deadLetter)) }
        }
        self.heard[ordinal] = heard
    }

    private mutating func takeReport() -> MillraceClient.FlushReport {
        defer { report = .init() }
        return report
    }
}

extension MillraceClient.Report {
    fileprivate init(_ report: ServerMessage.Report, _ fate: Fate) {
        self.fate = fate
        code = report.code
        message = report.message
        projection = report.pack.map { "\($0).\(report.fold ?? "")" }
        constraint = report.constraint
        sqlState = report.sqlstate
    }
}
