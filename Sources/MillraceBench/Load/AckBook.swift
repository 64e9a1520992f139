/// What one connection has sent and not yet heard of, in order: how long each line took is known when its ack comes.
///
/// Acks are cumulative, and lines that went out together are one entry, so an ack costs as many steps as there were
/// sends (in the open loop: as there were ticks), not as there are lines.
struct AckBook {
    struct Entry: Equatable {
        var lines: Int
        /// The first one of it in the open loop's schedule; 0 in the closed loop.
        var firstTick: Int
        /// When it was first offered to the socket, nanoseconds of a monotonic clock.
        var sentAt: Int64
        /// False for the ramp-up.
        var isMeasured: Bool
    }

    /// Lines that were answered together.
    struct Answered: Equatable {
        var lines: Int
        /// When they were to be sent: the schedule's time; in the closed loop the same as `sentAt`.
        var intendedAt: Int64
        var sentAt: Int64
        var isMeasured: Bool
    }

    private let schedule: OpenLoopSchedule?
    /// Lines of one tick.
    private let batch: Int
    private var entries: [Entry] = []
    private var head = 0
    /// Lines of the first entry that are answered.
    private var done = 0
    /// Lines sent and not answered.
    private(set) var inFlight = 0

    /// `schedule`: nil in the closed loop.
    init(schedule: OpenLoopSchedule?, batch: Int) {
        self.schedule = schedule
        self.batch = batch
    }

    mutating func sent(_ entry: Entry) {
        entries.append(entry)
        inFlight += entry.lines
    }

    /// The oldest `count` lines are answered.
    mutating func answer(_ count: Int, _ body: (Answered) -> Void) {
        precondition(count <= inFlight, "only lines in flight can be answered")
        inFlight -= count
        var rest = count
        while rest > 0 {
            let entry = entries[head]
            var lines = min(rest, entry.lines - done)
            var intendedAt = entry.sentAt
            if let schedule {
                lines = min(lines, batch - done % batch)
                intendedAt = schedule.due(schedule.tick(done / batch, after: entry.firstTick))
            }
            body(Answered(lines: lines, intendedAt: intendedAt, sentAt: entry.sentAt, isMeasured: entry.isMeasured))
            rest -= lines
            done += lines
            if done == entry.lines {
                head += 1
                done = 0
            }
        }
        compact()
    }

    private mutating func compact() {
        // Each entry is moved once at most.
        if head == entries.count {
            entries.removeAll(keepingCapacity: true)
            head = 0
        } else if head >= 256, head * 2 >= entries.count {
            entries.removeSubrange(..<head)
            head = 0
        }
    }
}
