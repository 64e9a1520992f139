/// Decides which connection sends how many lines when, what of it is measured, and when the run is over. No I/O and no
/// clock: times are nanoseconds of a monotonic clock and come in.
///
/// 1. Open loop: a tick goes out when it is due or later, never earlier, and never not at all because an earlier one
///    waits for its answer: what a connection can't take now stays due on that connection.
/// 2. Closed loop: a connection sends as soon as it has a place free.
/// 3. The ramp-up is sent like the rest and not measured. In the open loop the schedule says which ticks are which, in
///    the closed loop the clock.
/// 4. Numbers are given out once, in order of sending.
struct LoadStateMachine {
    /// What a connection sends now, in one go.
    struct Grant: Equatable {
        var numbers: Range<UInt64>
        var isMeasured: Bool

        var lines: Int { numbers.count }
    }

    private struct Place {
        var book: AckBook
        /// The next tick of this connection; used in the open loop.
        var nextTick: Int
        /// Lines sent on this connection before the first measured one.
        var unmeasuredLines = 0
    }

    /// For ticks that were due just before the end and that the generator comes to late.
    static let grace: Int64 = 50_000_000

    let plan: LoadPlan
    private let schedule: OpenLoopSchedule?
    private var places: [Place]
    private var nextNumber: UInt64
    /// The measured part begins here, and ends there in a run by time.
    let measuresFrom: Int64
    private let sendsUntil: Int64?
    /// Of the open loop: the first that is measured, and the first that is not sent any more.
    private let measuredTick: Int
    private let endTick: Int
    private var grantedTicks = 0
    private(set) var tally = LoadTally()
    private(set) var inFlight = 0

    /// `firstNumber`: of the first line.
    init(plan: LoadPlan, startedAt: Int64, firstNumber: UInt64) {
        self.plan = plan
        nextNumber = firstNumber
        measuresFrom = startedAt + plan.warmupNanoseconds
        if case .nanoseconds(let duration) = plan.extent {
            sendsUntil = measuresFrom + duration
        } else {
            sendsUntil = nil
        }
        if let rate = plan.rate {
            let schedule = OpenLoopSchedule(
                startedAt: startedAt, rate: rate, batch: plan.batch, connections: plan.connections)
            measuredTick = schedule.firstTick(at: measuresFrom)
            switch plan.extent {
            case .events(let count): endTick = measuredTick + (count + plan.batch - 1) / plan.batch
            case .nanoseconds(let duration): endTick = schedule.firstTick(at: measuresFrom + duration)
            }
            tally.measuredFrom = schedule.due(measuredTick)
            self.schedule = schedule
        } else {
            (measuredTick, endTick) = (0, 0)
            schedule = nil
        }
        let book = AckBook(schedule: schedule, batch: plan.batch)
        places = (0..<plan.connections).map { Place(book: book, nextTick: $0) }
    }

    /// Lines in flight on one connection.
    func inFlight(_ connection: Int) -> Int { places[connection].book.inFlight }

    /// Number of the next line.
    var endNumber: UInt64 { nextNumber }

    /// What `connection` is to send at `now`: at most `linesMax` lines, but a tick's or a request's lines at least. nil:
    /// nothing now.
    mutating func grant(_ connection: Int, linesMax: Int, at now: Int64) -> Grant? {
        schedule == nil
            ? closedGrant(connection, linesMax: linesMax, at: now) : openGrant(connection, linesMax: linesMax, at: now)
    }

    /// The socket was offered `bytes` for a grant.
    mutating func offered(_ grant: Grant, bytes: Int) {
        tally.sentBytes += bytes
        if grant.isMeasured { tally.measuredSentBytes += bytes }
    }

    /// The oldest `lines` of `connection` are answered. `refused`: those of them that were refused.
    mutating func answered(
        _ connection: Int, lines: Int, refused: Int = 0, at now: Int64, _ body: (AckBook.Answered) -> Void
    ) {
        var measured = 0
        places[connection].book.answer(lines) { answered in
            if answered.isMeasured { measured += answered.lines }
            body(answered)
        }
        inFlight -= lines
        tally.answered += lines
        tally.refused += refused
        guard measured > 0 else { return }
        tally.measuredAnswered += measured
        tally.measuredRefused += min(refused, measured)
        tally.measuredUntil = now
    }

    /// The daemon refused line `number` of `connection`, counted from 1; its ack is still to come.
    mutating func refused(_ connection: Int, line number: Int) {
        tally.refused += 1
        if number > places[connection].unmeasuredLines { tally.measuredRefused += 1 }
    }

    /// The oldest `lines` of `connection` were answered by an error: nothing is known of how long they would take.
    mutating func failed(_ connection: Int, lines: Int) {
        places[connection].book.answer(lines) { _ in }
        inFlight -= lines
        tally.failed += lines
    }

    /// No more is sent from `now` on.
    func isSendingOver(at now: Int64) -> Bool {
        if schedule != nil {
            return grantedTicks >= endTick || sendsUntil.map { now >= $0 + Self.grace } ?? false
        }
        if case .events(let count) = plan.extent { return tally.measuredSent >= count }
        return sendsUntil.map { now >= $0 } ?? false
    }

    func isDone(at now: Int64) -> Bool { inFlight == 0 && isSendingOver(at: now) }

    /// Marks what is left unsent. Call it once, when the run is over.
    mutating func finish() {
        guard schedule != nil, grantedTicks < endTick else { return }
        tally.overdue = (endTick - grantedTicks) * plan.batch
    }

    /// Ticks that are due at `now`, those of the whole run included; 0 in the closed loop.
    func ticksDue(at now: Int64) -> Int { min(endTick, schedule?.ticksDue(at: now) ?? 0) }

    /// When something is to be done at the latest, apart from answers; nil: only answers matter.
    func nextTime(after now: Int64) -> Int64? {
        guard let schedule else { return sendsUntil.flatMap { $0 > now ? $0 : nil } }
        let due = schedule.ticksDue(at: now)
        if due < endTick { return schedule.due(due) }
        return sendsUntil.map { $0 + Self.grace }.flatMap { $0 > now ? $0 : nil }
    }

    // MARK: - Granting

    private mutating func closedGrant(_ connection: Int, linesMax: Int, at now: Int64) -> Grant? {
        guard !isSendingOver(at: now) else { return nil }
        let taken = places[connection].book.inFlight
        var lines = plan.wire == .tcp ? min(linesMax, plan.inFlightMax - taken) : taken == 0 ? plan.batch : 0
        let isMeasured = now >= measuresFrom
        if isMeasured, case .events(let count) = plan.extent { lines = min(lines, count - tally.measuredSent) }
        guard lines > 0 else { return nil }
        if isMeasured, tally.measuredFrom == nil { tally.measuredFrom = now }
        return send(
            connection, AckBook.Entry(lines: lines, firstTick: 0, sentAt: now, isMeasured: isMeasured))
    }

    private mutating func openGrant(_ connection: Int, linesMax: Int, at now: Int64) -> Grant? {
        guard let schedule, !isSendingOver(at: now) else { return nil }
        let first = places[connection].nextTick
        let isMeasured = first >= measuredTick
        // A grant is of one part only.
        let end = min(schedule.ticksDue(at: now), isMeasured ? endTick : min(measuredTick, endTick))
        let taken = places[connection].book.inFlight
        var room = taken == 0 ? 1 : 0
        if plan.wire == .tcp {
            room = max(room, min(max(1, linesMax / plan.batch), (plan.inFlightMax - taken) / plan.batch))
        }
        let ticks = min(room, schedule.count(from: first, below: end))
        guard ticks > 0 else { return nil }
        var lines = ticks * plan.batch
        if case .events(let count) = plan.extent, schedule.tick(ticks - 1, after: first) == endTick - 1 {
            lines -= (endTick - measuredTick) * plan.batch - count
        }
        places[connection].nextTick = schedule.tick(ticks, after: first)
        grantedTicks += ticks
        return send(
            connection, AckBook.Entry(lines: lines, firstTick: first, sentAt: now, isMeasured: isMeasured))
    }

    private mutating func send(_ connection: Int, _ entry: AckBook.Entry) -> Grant {
        places[connection].book.sent(entry)
        if !entry.isMeasured { places[connection].unmeasuredLines += entry.lines }
        inFlight += entry.lines
        tally.sent += entry.lines
        if entry.isMeasured { tally.measuredSent += entry.lines }
        let numbers = nextNumber..<nextNumber + UInt64(entry.lines)
        nextNumber = numbers.upperBound
        return Grant(numbers: numbers, isMeasured: entry.isMeasured)
    }
}
