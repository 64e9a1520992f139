internal import Histogram
internal import MillraceChannels
internal import MillraceConsole
internal import MillraceEvent
internal import MillraceTelemetry

/// The sending side of a run, on one thread: connections, an event loop over all of them, and the book-keeping.
///
/// Enters: a plan and templates. Leaves: lines on the sockets, an interval a second on the board, a result.
/// 1. Nothing blocks but the wait for sockets or the next due time; sockets are non-blocking, connecting apart.
/// 2. A slow connection holds up no other one.
/// 3. Memory is bounded: by the sockets' buffers, and one entry for each send that waits for its ack.
/// When the daemon goes away the run ends with what it has, and the result says why.
struct LoadLoop: ~Copyable {
    private static let greetingTimeout: Int64 = 10_000_000_000
    /// Without any ack while lines wait for one.
    static let stallMax: Int64 = 30_000_000_000
    private static let intervalLength: Int64 = 1_000_000_000
    /// Ticks that are due within so much time go out together.
    private static let wakeInterval: Int64 = 50_000
    /// After an answer that says not now.
    private static let pause: Int64 = 100_000_000
    private static let complaintsMax = 3
    private static let readBytes = 64 << 10

    private let destination: Destination
    private let plan: LoadPlan
    private let board: LoadBoard
    private let firstNumber: UInt64
    private var writer: RequestWriter
    private var poller: Poller
    private var connections: [LoadConnection] = []
    private var machine: LoadStateMachine
    private var latencies = LatencyPair()
    private let readBuffer = RawBuffer(byteCount: readBytes)

    private var isRunning = false
    private var startedAt: Int64 = 0
    private var pumpedTicks = 0
    private var pumpedAt: Int64 = 0
    private var resumesAt: Int64?
    private var intervalFrom: Int64 = 0
    private var intervalAnswered = 0
    private var progressAt: Int64 = 0
    private var progressAnswered = 0
    private var times: ClosedRange<Int64>
    private var complaints: [String] = []
    private var failure: CommandError?

    init(
        destination: Destination, plan: LoadPlan, templates: EventTemplates, firstNumber: UInt64, board: LoadBoard
    ) throws(CommandError) {
        let now = Timestamp.now
        let writer = try RequestWriter(
            plan: plan, endpoint: destination.endpoint, authorization: destination.authorization, templates: templates,
            at: now)
        poller = try Poller()
        self.destination = destination
        self.plan = plan
        self.board = board
        self.firstNumber = firstNumber
        self.writer = writer
        machine = LoadStateMachine(plan: plan, startedAt: 0, firstNumber: firstNumber)
        times = now.microseconds...now.microseconds
    }

    /// Blocks until everything is answered, or the run has failed.
    mutating func run() -> LoadResult {
        let cpuBefore = MonotonicClock.threadTime
        do throws(CommandError) {
            try connect()
            try send()
        } catch {
            failure = error
        }
        machine.finish()
        if isRunning { post(at: MonotonicClock.now) }
        board.finish()
        return LoadResult(
            tally: machine.tally, numbers: firstNumber..<machine.endNumber, times: times,
            cpuSeconds: Double(MonotonicClock.threadTime - cpuBefore) / 1e9, complaints: complaints, failure: failure)
    }

    // MARK: - Connecting

    private mutating func connect() throws(CommandError) {
        for index in 0..<plan.connections {
            let connection = try LoadConnection(destination, plan: plan)
            try poller.add(connection.socket.descriptor, token: index)
            connections.append(connection)
            if plan.wire == .tcp {
                let hello = destination.greeting(acks: plan.acknowledgement.rawValue)
                _ = try hello.withUnsafeBytes { connection.socket.write($0) }.get()
            }
        }
        guard plan.wire == .tcp else { return }
        let deadline = MonotonicClock.now + Self.greetingTimeout
        while !connections.allSatisfy(\.isGreeted) {
            guard MonotonicClock.now < deadline else {
                throw CommandError(
                    "\(destination) did not answer the greeting in time",
                    hint: "Check --to, and whether the daemon is well")
            }
            try wait(until: deadline)
        }
    }

    // MARK: - The loop

    private mutating func send() throws(CommandError) {
        startedAt = MonotonicClock.now
        machine = LoadStateMachine(plan: plan, startedAt: startedAt, firstNumber: firstNumber)
        isRunning = true
        (pumpedAt, intervalFrom, progressAt) = (startedAt, startedAt, startedAt)
        for index in connections.indices { try pump(index) }
        while true {
            let now = MonotonicClock.now
            try pumpDue(at: now)
            if machine.isDone(at: now) { return }
            if now >= intervalEnd {
                try checkProgress(at: now)
                post(at: now)
            }
            var deadline = min(intervalEnd, resumesAt ?? .max)
            if let next = machine.nextTime(after: now) {
                deadline = min(deadline, plan.rate == nil ? next : max(next, pumpedAt + Self.wakeInterval))
            }
            try wait(until: deadline)
        }
    }

    private mutating func wait(until deadline: Int64) throws(CommandError) {
        // Handled after the wait, so that no two parts of this value are used at the same time.
        var events: [Poller.Event] = []
        poller.wait(until: deadline) { events.append($0) }
        for event in events {
            if event.isWritable { try connections[event.token].flush() }
            if event.isReadable { try receive(event) }
            if isRunning { try pump(event.token) }
        }
    }

    private mutating func pumpDue(at now: Int64) throws(CommandError) {
        let due = machine.ticksDue(at: now)
        if due > pumpedTicks {
            // A connection with several of them sends all at the first.
            for tick in max(pumpedTicks, due - plan.connections)..<due { try pump(tick % plan.connections) }
            pumpedTicks = due
            pumpedAt = now
        }
        if let time = resumesAt, now >= time {
            resumesAt = nil
            for index in connections.indices { try pump(index) }
        }
    }

    /// Sends what `index` may send now.
    private mutating func pump(_ index: Int) throws(CommandError) {
        let connection = connections[index]
        while !connection.isBlocked {
            let now = MonotonicClock.now
            guard now >= connection.pausedUntil else {
                resumesAt = min(resumesAt ?? .max, connection.pausedUntil)
                return
            }
            guard let grant = machine.grant(index, linesMax: writer.linesMax, at: now) else { return }
            let time = Timestamp.now
            times = min(times.lowerBound, time.microseconds)...max(times.upperBound, time.microseconds)
            let (output, lineBytes) = writer.bytes(for: grant.numbers, at: time)
            machine.offered(grant, bytes: lineBytes)
            try connection.send(output)
        }
    }

    // MARK: - Answers

    private mutating func receive(_ event: Poller.Event) throws(CommandError) {
        let connection = connections[event.token]
        let now = MonotonicClock.now
        var trouble: CommandError?
        let isOpen = try connection.receive(into: readBuffer.bytes, untilEnd: event.isHungUp) { answer in
            trouble = trouble ?? handle(answer, index: event.token, connection, at: now)
        }
        if let trouble { throw trouble }
        if !isOpen { try connectionEnded(event.token) }
    }

    private mutating func handle(
        _ answer: LoadAnswer, index: Int, _ connection: LoadConnection, at now: Int64
    ) -> CommandError? {
        switch answer {
        case .greeted:
            connection.isGreeted = true
        case .acknowledged(let lines):
            let count = lines - connection.acknowledged
            guard count >= 0, count <= machine.inFlight(index) else {
                return Self.ended("it acknowledged \(lines) lines, which were not sent")
            }
            connection.acknowledged = lines
            linesAnswered(index, lines: count, refused: 0, at: now)
        case .refused(let number, let reason):
            machine.refused(index, line: number)
            complain(reason)
        case .reported(let reason): complain(reason)
        case .answered(let accepted, let reason):
            // One request at a time: all that is in flight is what was answered.
            let lines = machine.inFlight(index)
            guard lines > 0, accepted <= lines else { return Self.ended("it answered what was not asked") }
            if accepted < lines { complain(reason ?? "no reason given") }
            linesAnswered(index, lines: lines, refused: lines - accepted, at: now)
        case .failed(let reason):
            complain(reason)
            machine.failed(index, lines: machine.inFlight(index))
            connection.pausedUntil = now + Self.pause
        case .ended(let reason):
            return Self.ended(reason)
        }
        return nil
    }

    private mutating func linesAnswered(_ index: Int, lines: Int, refused: Int, at now: Int64) {
        let isOpenLoop = plan.rate != nil
        machine.answered(index, lines: lines, refused: refused, at: now) { answered in
            guard answered.isMeasured else { return }
            latencies.uncorrected.record(nanoseconds: now - answered.sentAt, count: answered.lines)
            if isOpenLoop { latencies.corrected.record(nanoseconds: now - answered.intendedAt, count: answered.lines) }
        }
    }

    private mutating func complain(_ reason: String) {
        if complaints.count < Self.complaintsMax, !complaints.contains(reason) { complaints.append(reason) }
    }

    private mutating func connectionEnded(_ index: Int) throws(CommandError) {
        guard plan.wire == .http, machine.inFlight(index) == 0 else {
            throw CommandError(
                "the daemon closed a connection with \(machine.inFlight(index)) lines on their way",
                hint: "See its log for the reason", isRetryable: true)
        }
        // It was idle for http.keep_alive; the socket's end takes it out of the poller.
        connections[index] = try LoadConnection(destination, plan: plan)
        try poller.add(connections[index].socket.descriptor, token: index)
    }

    private static func ended(_ reason: String) -> CommandError {
        CommandError(
            "the daemon ended the conversation: \(reason)",
            hint: "Check --to and --protocol, tcp.connections_max, http.connections_max, and the daemon's log")
    }

    // MARK: - Intervals

    private var intervalEnd: Int64 {
        let end = intervalFrom + Self.intervalLength
        // The measured part begins an interval of its own.
        return intervalFrom < machine.measuresFrom ? min(end, machine.measuresFrom) : end
    }

    private mutating func checkProgress(at now: Int64) throws(CommandError) {
        let answered = machine.tally.answered + machine.tally.failed
        if answered > progressAnswered || machine.inFlight == 0 {
            progressAnswered = answered
            progressAt = now
        }
        guard now - progressAt < Self.stallMax else {
            throw CommandError(
                "no answer for \(Self.stallMax / 1_000_000_000) s, with \(Format.count(machine.inFlight)) lines on their way",
                hint: "See `millrace status`: PostgreSQL may be away (use --ack spooled), or the spool full",
                isRetryable: true)
        }
    }

    private mutating func post(at now: Int64) {
        let length = Duration.nanoseconds(now - intervalFrom)
        let answered = machine.tally.answered
        let done = answered / plan.linesPerPlace
        let elapsed = Double(now - startedAt) / 1000
        let interval = LoadInterval(
            startedAt: WallClock.sinceEpoch - length, length: length, answered: answered - intervalAnswered,
            inFlight: machine.inFlight,
            // The ramp-up's last interval ends a little late, and may hold the first measured lines.
            isMeasured: intervalFrom >= machine.measuresFrom || latencies.uncorrected.totalCount > 0,
            latencies: latencies,
            correctionMicroseconds: plan.rate == nil && done > 0
                ? UInt64(elapsed * Double(plan.places) / Double(done)) : nil)
        latencies = board.post(interval)
        intervalFrom = now
        intervalAnswered = answered
    }
}

extension LoadLoop {
    /// Carries out a load: blocks. Throws when there is nothing to tell; else the result says how it went.
    static func result(
        of plan: LoadPlan, to destination: Destination, templates: EventTemplates, firstNumber: UInt64, board: LoadBoard
    ) throws(CommandError) -> LoadResult {
        do throws(CommandError) {
            var loop = try LoadLoop(
                destination: destination, plan: plan, templates: templates, firstNumber: firstNumber, board: board)
            let result = loop.run()
            if let failure = result.failure, result.tally.sent == 0 { throw failure }
            return result
        } catch {
            board.finish()
            throw error
        }
    }
}
