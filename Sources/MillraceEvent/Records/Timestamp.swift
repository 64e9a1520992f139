internal import CMillrace
import Glibc

/// A point in time: microseconds since 1970-01-01T00:00:00Z, the resolution of PostgreSQL's `timestamptz`.
package struct Timestamp: Sendable, Hashable, Comparable {
    package var microseconds: Int64

    /// From 1970 to 2000, from where PostgreSQL's binary `timestamptz` counts, in microseconds.
    package static let postgresEpoch: Int64 = 946_684_800_000_000

    package init(microseconds: Int64) {
        self.microseconds = microseconds
    }

    /// An RFC 3339 time with offset, read as an event's `created_at` is; nil for anything else. Year 0 is one too.
    package init?(rfc3339 text: String) {
        var text = text
        var microseconds: Int64 = 0
        let isTime = text.withUTF8 { mr_parse_time($0.baseAddress, $0.count, &microseconds) }
        guard isTime else { return nil }
        self.init(microseconds: microseconds)
    }

    /// RFC 3339 in UTC, with six digits behind the second.
    package var rfc3339: String {
        withUnsafeTemporaryAllocation(of: CChar.self, capacity: Int(MR_TIME_BYTES)) { text in
            guard let start = text.baseAddress else { return "" }
            mr_format_time(microseconds, start)
            return String(cString: start)
        }
    }

    /// The wall clock. Does not block.
    package static var now: Timestamp {
        var time = timespec()
        clock_gettime(CLOCK_REALTIME, &time)
        return Timestamp(microseconds: Int64(time.tv_sec) * 1_000_000 + Int64(time.tv_nsec) / 1000)
    }

    /// By the microsecond.
    package static func < (left: Timestamp, right: Timestamp) -> Bool {
        left.microseconds < right.microseconds
    }

    /// `duration` later, or earlier where it is negative; fractions of a microsecond are cut off.
    package func advanced(by duration: Duration) -> Timestamp {
        let (seconds, attoseconds) = duration.components
        return Timestamp(microseconds: microseconds + seconds * 1_000_000 + attoseconds / 1_000_000_000_000)
    }
}
