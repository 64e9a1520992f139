internal import Glibc

/// The wall clock as text.
package enum LogTime {
    /// RFC 3339 in UTC, to the millisecond.
    static func now() -> String {
        text(WallClock.sinceEpoch)
    }

    /// The same for a time since 1970.
    package static func text(_ sinceEpoch: Duration) -> String {
        var seconds = Int(sinceEpoch.components.seconds)
        var fields = tm()
        gmtime_r(&seconds, &fields)
        let date =
            "\(pad(Int(fields.tm_year) + 1900, 4))-\(pad(Int(fields.tm_mon) + 1, 2))-\(pad(Int(fields.tm_mday), 2))"
        let time = "\(pad(Int(fields.tm_hour), 2)):\(pad(Int(fields.tm_min), 2)):\(pad(Int(fields.tm_sec), 2))"
        return "\(date)T\(time).\(pad(Int(sinceEpoch.components.attoseconds / 1_000_000_000_000_000), 3))Z"
    }

    private static func pad(_ number: Int, _ width: Int) -> String {
        let digits = String(number)
        return String(repeating: "0", count: max(0, width - digits.count)) + digits
    }
}

/// The time of day, for logs; durations are measured by `ContinuousClock`.
package enum WallClock {
    /// Since 1970-01-01T00:00:00Z. Does not block.
    package static var sinceEpoch: Duration {
        var now = timespec()
        clock_gettime(CLOCK_REALTIME, &now)
        return .seconds(now.tv_sec) + .nanoseconds(now.tv_nsec)
    }
}
