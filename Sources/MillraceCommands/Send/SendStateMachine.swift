internal import MillraceAccess
internal import MillraceChannels
internal import MillraceClient
internal import MillraceConsole
internal import MillraceEvent

/// The decisions of `millrace send`: what is answered, what goes out again, when to give up.
///
/// 1. A line leaves the window only by an ack, so what was not acked when a connection ends goes out again, in order.
/// 2. A refusal counts once the ack that covers its line has come: before that, the line will be sent again.
/// 3. So does what is said of an accepted line, that it is parked or dead.
/// 4. The window is bounded by bytes (one line may exceed it alone).
struct SendStateMachine {
    struct Refused: Equatable {
        /// Where the line stood in the input, from 1.
        var lineNumber: Int
        var code: String
        var message: String
    }

    /// What became of a line that was accepted.
    struct Reported: Equatable {
        enum Fate: String, Encodable {
            /// Its row is stored, and a projection lacks it.
            case parked
            /// It is in no table, and in `dead_letters`.
            case dead = "dead_letter"
        }

        /// Where the line stood in the input, from 1.
        var lineNumber: Int
        var fate: Fate
        var report: ServerMessage.Report
    }

    enum Action: Equatable {
        case connect(after: Duration)
        /// Try no more; what is in the window is not known to be kept.
        case giveUp(CommandError)
    }

    private enum Connection {
        case none
        case awaitingGreeting
        /// `base`: lines answered when it began.
        case open(base: Int, since: ContinuousClock.Instant)
    }

    /// The first wait; doubles up to `waitMax`.
    static let waitMin = Duration.milliseconds(100)
    static let waitMax = Duration.seconds(5)
    /// Of one line: a projection of each pack, and there are no more packs than that.
    private static let reportsMax = 256

    private let windowBytesMax: Int
    private let retryFor: Duration
    private let keptMax: Int
    private let tenant: Int32?

    private var connection = Connection.none
    private(set) var window = LineWindow()
    private var isInputEnded = false
    /// Refusals heard on this connection whose ack has not come, with the line's ordinal among all lines sent.
    private var unsettledRefusals: [(ordinal: Int, refused: Refused)] = []
    /// The same of what is said of accepted lines.
    private var unsettledReports: [(ordinal: Int, reported: Reported)] = []
    /// How many lines of a stretch are parked or dead, where not each was named.
    private var unsettledTotals: [(ordinals: Range<Int>, parked: Int, dead: Int)] = []
    /// When the present run of failures without progress began.
    private var failingSince: ContinuousClock.Instant?
    private var failures = 0

    /// Lines answered by the daemon, accepted and refused.
    private(set) var answeredCount = 0
    /// Of `answeredCount`: those that `takeSettled` has told.
    private var toldCount = 0
    private var untold = Settled()
    /// Lines that could not be sent at all.
    private var refusedHereCount = 0
    /// Lines refused, here or by the daemon.
    private(set) var refusedCount = 0
    private(set) var refusedByCode: [String: Int] = [:]
    /// The first ones.
    private(set) var refused: [Refused] = []
    /// Accepted lines that are parked, and that are dead; more than once where several projections lack it.
    private(set) var parkedCount = 0
    private(set) var deadCount = 0
    /// The first ones.
    private(set) var reported: [Reported] = []
    /// Connections after the first that were greeted.
    private(set) var reconnectCount = 0
    private(set) var resentCount = 0
    private var wasGreeted = false
    private(set) var serverVersion: String?

    /// `windowBytesMax`: bytes of unsettled lines above which no more are read. `retryFor`: how long connections may
    /// fail in a row, without a line answered, before it gives up. `keptMax`: refusals kept for the summary, and reports.
    /// `tenant`: the one that the lines must become rows of; nil: the key's, whichever it is.
    init(windowBytesMax: Int, retryFor: Duration, keptMax: Int, tenant: Int32? = nil) {
        self.windowBytesMax = windowBytesMax
        self.retryFor = retryFor
        self.keptMax = keptMax
        self.tenant = tenant
    }

    var acceptedCount: Int { answeredCount + refusedHereCount - refusedCount }
    var wantsLines: Bool { !isInputEnded && window.byteCount < windowBytesMax }
    var isDone: Bool { isInputEnded && window.count == 0 }
    var isAwaitingGreeting: Bool {
        if case .awaitingGreeting = connection { true } else { false }
    }
    var hasBytesToSend: Bool {
        if case .open = connection { window.hasUnsent } else { false }
    }

    /// `line` without its line ending, not empty.
    mutating func lineRead(_ line: some Collection<UInt8>, number: Int) {
        window.append(line, number: number)
    }

    mutating func inputEnded() {
        isInputEnded = true
    }

    /// A line that can't go out at all.
    mutating func lineRefusedHere(_ line: Refused) {
        refusedHereCount += 1
        count(line)
    }

    mutating func connected() {
        connection = .awaitingGreeting
        window.rewind()
        unsettledRefusals = []
        unsettledReports = []
        unsettledTotals = []
    }

    /// Gives the bytes that may go out now; `body` returns how many the socket took.
    mutating func sendUnsent(_ body: (UnsafeRawBufferPointer) -> Int) {
        precondition(hasBytesToSend, "nothing goes out before the greeting is answered")
        window.sendUnsent(body)
    }

    /// Throws when what came is not what a daemon sends, or when the daemon ends the connection: the error says whether
    /// another connection may fare better.
    mutating func received(
        _ message: ServerMessage?, at now: ContinuousClock.Instant
    ) throws(CommandError) {
        guard let message else { throw Self.foreign("it sent a line that is no answer of Millrace") }
        switch connection {
        case .none: throw Self.foreign("it spoke on a closed connection")
        case .awaitingGreeting: try greeted(message, at: now)
        case .open(let base, _):
            if let ack = message.ack {
                try acknowledged(base + ack)
            } else if let line = message.line, let error = message.error {
                try refused(ordinal: base + line - 1, error)
            } else if let line = message.line, let report = message.parked {
                try reported(ordinal: base + line - 1, .parked, report)
            } else if let line = message.line, let report = message.deadLetter {
                try reported(ordinal: base + line - 1, .dead, report)
            } else if let lines = message.lines {
                guard lines.first >= 1, lines.last >= lines.first else { throw Self.foreign("it counted no lines") }
                guard base + lines.last <= answeredCount + window.sentCount,
                    unsettledTotals.count < max(1, window.sentCount)
                else { throw Self.foreign("it counted lines that were not sent") }
                unsettledTotals.append(
                    (
                        base + lines.first - 1..<base + lines.last, message.parkedTotal ?? 0,
                        message.deadLettersTotal ?? 0
                    ))
            } else if let error = message.error {
                throw Self.turnedDown(error)
            } else if message.limited == nil {
                throw Self.foreign("it sent an answer of an unknown kind")
            }
        }
    }

    /// What became of the lines that were answered since the last call.
    mutating func takeSettled() -> Settled {
        defer {
            toldCount = answeredCount
            untold = Settled()
        }
        untold.count = answeredCount - toldCount
        return untold
    }

    /// The connection ended or could not be made.
    mutating func connectionLost(_ reason: CommandError, at now: ContinuousClock.Instant) -> Action {
        // A connection that stood longer than the limit is no part of a row of failures, even when nothing was
        // answered on it: a daemon may hold its acks back for hours while a disk is full.
        if case .open(_, let since) = connection, now - since >= retryFor { failingSince = nil }
        resentCount += window.sentCount
        window.rewind()
        connection = .none
        let since = failingSince ?? now
        failingSince = since
        guard now - since < retryFor else { return .giveUp(reason) }
        let wait = min(Self.waitMax, Self.waitMin * (1 << min(failures, 10)))
        failures += 1
        return .connect(after: wait)
    }

    // MARK: - Answers

    private mutating func greeted(_ message: ServerMessage, at now: ContinuousClock.Instant) throws(CommandError) {
        if let error = message.error { throw Self.turnedDown(error) }
        guard let hello = message.hello, hello.server == "millrace" else {
            throw Self.foreign("it did not answer the greeting")
        }
        let own = hello.tenant ?? 0
        guard tenant == nil || tenant == own else {
            throw CommandError(
                "what is sent becomes tenant \(own)'s, and --tenant says \(tenant ?? 0)",
                hint: "Give --tenant \(own), or show a key of the other tenant by --key-file or MILLRACE_KEY")
        }
        serverVersion = hello.version
        if wasGreeted { reconnectCount += 1 }
        wasGreeted = true
        connection = .open(base: answeredCount, since: now)
    }

    private mutating func acknowledged(_ total: Int) throws(CommandError) {
        let count = total - answeredCount
        guard count >= 0, count <= window.sentCount else {
            throw Self.foreign("it acknowledged \(total) lines where \(answeredCount + window.sentCount) were sent")
        }
        guard count > 0 else { return }
        window.answer(count)
        answeredCount = total
        for entry in unsettledRefusals where entry.ordinal < total {
            self.count(entry.refused)
            untold.refused.append(entry.refused)
        }
        unsettledRefusals.removeAll { $0.ordinal < total }
        settleReports(upTo: total)
        failingSince = nil
        failures = 0
    }

    private mutating func settleReports(upTo total: Int) {
        guard !unsettledReports.isEmpty || !unsettledTotals.isEmpty else { return }
        var named = (parked: 0, dead: 0)
        for (ordinal, reported) in unsettledReports where ordinal < total {
            switch reported.fate {
            case .parked: named.parked += 1
            case .dead: named.dead += 1
            }
            untold.reported.append(reported)
            if self.reported.count < keptMax { self.reported.append(reported) }
        }
        var unnamed = (parked: 0, dead: 0)
        for (ordinals, parked, dead) in unsettledTotals where ordinals.upperBound <= total {
            let within = unsettledReports.filter { ordinals.contains($0.ordinal) }
            let parkedNamed = within.count { $0.reported.fate == .parked }
            unnamed.parked += max(0, parked - parkedNamed)
            unnamed.dead += max(0, dead - (within.count - parkedNamed))
        }
        parkedCount += named.parked + unnamed.parked
        deadCount += named.dead + unnamed.dead
        untold.unnamedCount += unnamed.parked + unnamed.dead
        unsettledReports.removeAll { $0.ordinal < total }
        unsettledTotals.removeAll { $0.ordinals.upperBound <= total }
    }

    private mutating func reported(
        ordinal: Int, _ fate: Reported.Fate, _ report: ServerMessage.Report
    ) throws(CommandError) {
        let index = ordinal - answeredCount
        guard index >= 0, index < window.sentCount else {
            throw Self.foreign("it told of a line that was not sent")
        }
        guard unsettledReports.count < window.sentCount * Self.reportsMax else {
            throw Self.foreign("it told of more than a line can meet with")
        }
        unsettledReports.append(
            (ordinal, Reported(lineNumber: window.number(at: index), fate: fate, report: report)))
    }

    private mutating func refused(ordinal: Int, _ error: ServerMessage.Failure) throws(CommandError) {
        let index = ordinal - answeredCount
        guard index >= 0, index < window.sentCount else {
            throw Self.foreign("it refused a line that was not sent")
        }
        guard unsettledRefusals.count < window.sentCount else { throw Self.foreign("it refused a line twice") }
        let line = Refused(lineNumber: window.number(at: index), code: error.code, message: error.message)
        unsettledRefusals.append((ordinal, line))
    }

    private mutating func count(_ line: Refused) {
        refusedCount += 1
        refusedByCode[line.code, default: 0] += 1
        if refused.count < keptMax { refused.append(line) }
    }

    private static func foreign(_ what: String) -> CommandError {
        CommandError(
            "what listens there does not speak Millrace's line protocol: \(what)",
            hint: "Check --to and tcp.listen; the HTTP listener takes no lines")
    }

    private static func turnedDown(_ error: ServerMessage.Failure) -> CommandError {
        CommandError(
            "the daemon ended the connection: \(error.code): \(error.message)",
            hint: AccessRefusal.Code(rawValue: error.code) == nil
                ? "Fix that, then send again"
                : "Show a key that may do this by --key-file or MILLRACE_KEY, then send again; see `millrace keys list`",
            isRetryable: SpoolRefusal(rawValue: error.code) != nil
                || ["too_many_connections", "too_many_refused_lines", "rate_limited", MemoryShortage.code].contains(
                    error.code)
        )
    }
}

extension SendStateMachine {
    /// What became of some lines, which follow on each other.
    struct Settled: Equatable {
        var count = 0
        var refused: [Refused] = []
        /// Of the accepted ones.
        var reported: [Reported] = []
        /// Parked or dead ones that the daemon counted and did not name.
        var unnamedCount = 0
    }
}
