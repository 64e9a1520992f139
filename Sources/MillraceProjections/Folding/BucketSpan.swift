internal import MillraceEvent
internal import MillracePostgres

/// The bucket that the last time was in. Times in microseconds since 2000-01-01T00:00:00Z.
struct BucketSpan {
    private let unit: TimeBucket
    private var start: Int64 = 0
    private var end: Int64 = 0

    init(_ unit: TimeBucket) {
        self.unit = unit
    }

    /// Start of the bucket that `time` is in.
    mutating func start(of time: Int64) -> Int64 {
        if time < start || time >= end { move(to: time) }
        return start
    }

    private static let hour: Int64 = 3_600_000_000
    private static let day: Int64 = 24 * hour

    private mutating func move(to time: Int64) {
        switch unit {
        case .hour:
            start = Self.floor(time, Self.hour)
            end = start + Self.hour
        case .day:
            start = Self.floor(time, Self.day)
            end = start + Self.day
        case .month:
            guard let month = PartitionMonth(microseconds: time + Timestamp.postgresEpoch) else {
                preconditionFailure("a row lies in a partition, and so in a month")
            }
            start = month.lowerMicroseconds - Timestamp.postgresEpoch
            end = month.upperMicroseconds - Timestamp.postgresEpoch
        }
    }

    private static func floor(_ value: Int64, _ unit: Int64) -> Int64 {
        let rest = value % unit
        return value - (rest < 0 ? rest + unit : rest)
    }
}
