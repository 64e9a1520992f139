internal import Glibc

/// The time of day, for logs; durations are measured by `ContinuousClock`.
package enum WallClock {
    /// Since 1970-01-01T00:00:00Z. Does not block.
    package static var sinceEpoch: Duration {
        var now = timespec()
        clock_gettime(CLOCK_REALTIME, &now)
        return .seconds(now.tv_sec) + .nanoseconds(now.tv_nsec)
    }
}
