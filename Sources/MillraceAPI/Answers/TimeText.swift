internal import MillraceEvent

/// Times as clients and PostgreSQL write them.
enum TimeText {
    /// What PostgreSQL writes for a timestamptz in ISO style and UTC, in RFC 3339: `2026-11-21T10:00:00.5Z`. What has no
    /// such form (`infinity`) stays as it is.
    static func rfc3339(_ text: String) -> String {
        guard text.hasSuffix("+00"), let blank = text.firstIndex(of: " ") else { return text }
        return text[..<blank] + "T" + text[text.index(after: blank)...].dropLast(3) + "Z"
    }

    /// RFC 3339 with an offset, a date (its midnight in UTC), or milliseconds since 1970; nil for anything else.
    /// Years 1 … 9999; fractions beyond a microsecond are cut.
    static func parse(_ text: String) -> Timestamp? {
        if text.wholeMatch(of: #/-?[0-9]{1,15}/#) != nil {
            return Int64(text).flatMap { years.contains($0 / 1000) ? Timestamp(microseconds: $0 * 1000) : nil }
        }
        let pattern =
            #/([0-9]{4})-([0-9]{2})-([0-9]{2})(?:[Tt ]([0-9]{2}):([0-9]{2}):([0-9]{2})(?:\.([0-9]{1,12}))?([Zz]|[+-][0-9]{2}:[0-9]{2}))?/#
        guard let parts = text.wholeMatch(of: pattern)?.output else { return nil }
        func number(_ text: Substring?) -> Int64 { text.flatMap { Int64($0) } ?? 0 }
        let (year, month, day) = (number(parts.1), number(parts.2), number(parts.3))
        let (hour, minute, second) = (number(parts.4), number(parts.5), number(parts.6))
        guard year >= 1, (1...12).contains(month), day >= 1, day <= days(of: month, year), hour < 24, minute < 60,
            second < 60
        else { return nil }
        var seconds = dayNumber(year, month, day) * 86_400 + hour * 3600 + minute * 60 + second
        if let zone = parts.8, zone.count == 6 {
            let (hours, minutes) = (number(zone.dropFirst().prefix(2)), number(zone.suffix(2)))
            guard hours < 24, minutes < 60 else { return nil }
            seconds -= (zone.first == "-" ? -1 : 1) * (hours * 3600 + minutes * 60)
        }
        guard years.contains(seconds) else { return nil }
        let fraction = (String(parts.7 ?? "") + "000000").prefix(6)
        return Timestamp(microseconds: seconds * 1_000_000 + number(fraction))
    }

    /// 0001-01-01T00:00:00Z to the end of 9999, in seconds.
    private static let years: Range<Int64> = -62_135_596_800..<253_402_300_800

    private static func days(of month: Int64, _ year: Int64) -> Int64 {
        switch month {
        case 2: year.isMultiple(of: 4) && (!year.isMultiple(of: 100) || year.isMultiple(of: 400)) ? 29 : 28
        case 4, 6, 9, 11: 30
        default: 31
        }
    }

    /// Days since the epoch. Howard Hinnant, "chrono-compatible low-level date algorithms", days_from_civil, for years
    /// from 1.
    private static func dayNumber(_ year: Int64, _ month: Int64, _ day: Int64) -> Int64 {
        let shifted = month <= 2 ? year - 1 : year
        let era = shifted / 400
        let yearOfEra = shifted - era * 400
        let dayOfYear = (153 * (month > 2 ? month - 3 : month + 9) + 2) / 5 + day - 1
        return era * 146_097 + yearOfEra * 365 + yearOfEra / 4 - yearOfEra / 100 + dayOfYear - 719_468
    }
}
