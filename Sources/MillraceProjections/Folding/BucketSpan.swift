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
            let (year, month) = Self.month(ofDay: Self.floor(time, Self.day) / Self.day)
            start = Self.firstDay(year: year, month: month) * Self.day
            end = Self.firstDay(year: month == 12 ? year + 1 : year, month: month % 12 + 1) * Self.day
        }
    }

    private static func floor(_ value: Int64, _ unit: Int64) -> Int64 {
        let rest = value % unit
        return value - (rest < 0 ? rest + unit : rest)
    }

    /// Years that begin in March put the leap day at their end; 400 of them are 146,097 days. `day`: since 2000-01-01.
    private static func month(ofDay day: Int64) -> (year: Int64, month: Int64) {
        let shifted = day - 60  // since 2000-03-01
        let era = floor(shifted, 146_097) / 146_097
        let dayOfEra = shifted - era * 146_097
        let yearOfEra = (dayOfEra - dayOfEra / 1460 + dayOfEra / 36_524 - dayOfEra / 146_096) / 365
        let dayOfYear = dayOfEra - (365 * yearOfEra + yearOfEra / 4 - yearOfEra / 100)
        let march = (5 * dayOfYear + 2) / 153
        let month = march < 10 ? march + 3 : march - 9
        return (2000 + yearOfEra + era * 400 + (month <= 2 ? 1 : 0), month)
    }

    /// Days from 2000-01-01 to the first of a month.
    private static func firstDay(year: Int64, month: Int64) -> Int64 {
        let shifted = (month <= 2 ? year - 1 : year) - 2000
        let era = floor(shifted, 400) / 400
        let yearOfEra = shifted - era * 400
        let march = month > 2 ? month - 3 : month + 9
        return era * 146_097 + yearOfEra * 365 + yearOfEra / 4 - yearOfEra / 100 + (153 * march + 2) / 5 + 60
    }
}
