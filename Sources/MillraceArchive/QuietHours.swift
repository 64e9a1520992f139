/// A part of each day, in UTC: `01:00-05:00`, or over midnight `23:00-04:00`; `00:00-24:00` is all of it.
package struct QuietHours: Sendable, Equatable {
    private var from = 60
    /// One after the last minute.
    private var to = 300

    /// 01:00-05:00.
    package init() {}

    /// Nil for what is none.
    package init?(_ text: String) {
        guard let match = text.wholeMatch(of: #/([0-9]{2}):([0-9]{2})-([0-9]{2}):([0-9]{2})/#),
            let fromHour = Int(match.output.1), let fromMinute = Int(match.output.2), let toHour = Int(match.output.3),
            let toMinute = Int(match.output.4), fromMinute < 60, toMinute < 60
        else { return nil }
        from = fromHour * 60 + fromMinute
        to = toHour * 60 + toMinute
        guard from < 24 * 60, to <= 24 * 60, from != to else { return nil }
    }

    /// Whether `microseconds` since 1970 are within them.
    package func contains(_ microseconds: Int64) -> Bool {
        let minute = Int((microseconds / 60_000_000) % (24 * 60))
        return from < to ? (from..<to).contains(minute) : minute >= from || minute < to
    }
}
