/// When things are due in the open loop: tick `n` is due `n` intervals after the start, whatever the daemon does. Ticks go
/// to the connections in turn. All times are nanoseconds of a monotonic clock.
struct OpenLoopSchedule: Equatable, Sendable {
    private let startedAt: Int64
    private let intervalNanoseconds: Double
    private let connections: Int

    /// `rate`: lines a second. `batch`: lines of one tick.
    init(startedAt: Int64, rate: Double, batch: Int, connections: Int) {
        precondition(rate > 0 && batch > 0 && connections > 0, "a schedule has a rate, lines and connections")
        self.startedAt = startedAt
        intervalNanoseconds = Double(batch) * 1e9 / rate
        self.connections = connections
    }

    /// When `tick` is to be sent.
    func due(_ tick: Int) -> Int64 {
        startedAt + Int64((Double(tick) * intervalNanoseconds).rounded())
    }

    /// Ticks that are due at `time` or before: their numbers are below this.
    func ticksDue(at time: Int64) -> Int {
        guard time >= startedAt else { return 0 }
        var ticks = Int((Double(time - startedAt) / intervalNanoseconds).rounded(.down)) + 1
        // The division and the multiplication of `due` may round apart.
        while ticks > 0, due(ticks - 1) > time { ticks -= 1 }
        while due(ticks) <= time { ticks += 1 }
        return ticks
    }

    /// The first tick that is due at `time` or after.
    func firstTick(at time: Int64) -> Int {
        time <= startedAt ? 0 : ticksDue(at: time - 1)
    }

    /// How many of the ticks `first`, `first + connections` … are below `end`: those of the connection of `first`.
    func count(from first: Int, below end: Int) -> Int {
        first < end ? (end - first + connections - 1) / connections : 0
    }

    func tick(_ position: Int, after first: Int) -> Int { first + position * connections }
}
