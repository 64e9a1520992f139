import MillracePostgres

/// A position in PostgreSQL's write-ahead log (`pg_lsn`), in bytes since its beginning.
struct LogPosition: Sendable, Hashable, Comparable, CustomStringConvertible {
    var bytes: UInt64

    init(bytes: UInt64) {
        self.bytes = bytes
    }

    /// From PostgreSQL's notation, `16/B374D848`; nil for anything else.
    init?(_ text: String) {
        let halves = text.split(separator: "/")
        guard halves.count == 2, let high = UInt64(halves[0], radix: 16), let low = UInt64(halves[1], radix: 16),
            high <= UInt32.max, low <= UInt32.max
        else { return nil }
        bytes = high << 32 | low
    }

    static func < (left: LogPosition, right: LogPosition) -> Bool { left.bytes < right.bytes }

    var description: String {
        String(bytes >> 32, radix: 16, uppercase: true) + "/" + String(bytes & 0xFFFF_FFFF, radix: 16, uppercase: true)
    }
}

extension LogPosition {
    /// From an answer of one row and one column. What is no position counts as flushed only with everything else.
    init(answer: borrowing PostgresResult) {
        self = answer.string(0, 0).flatMap { LogPosition($0) } ?? LogPosition(bytes: .max)
    }
}
