/// How long to wait after connections that came to nothing in a row.
struct Backoff: Sendable, Equatable {
    /// More than nothing.
    var waitMin: Duration
    /// `waitMin` or more.
    var waitMax: Duration

    /// After `failures` in a row, 1 or more. `chance`: 0 ..< 1, by which up to half of the wait is taken off.
    func wait(failures: Int, chance: Double) -> Duration {
        // Beyond 2^20 any wait is the longest.
        let doubled = waitMin * (1 << min(max(failures, 1) - 1, 20))
        return min(waitMax, doubled) * (1 - chance / 2)
    }
}
