internal import MillraceEvent

/// Times as exports write them.
enum RecordTime {
    private static let microsecondsPerDay: Int64 = 86_400_000_000

    /// From a JSON value: a text like `2025-12-28T10:00:00.5+01:00` (a blank for the `T`, no offset = UTC, no time of
    /// day = midnight), or a number of milliseconds since 1970 (of seconds when it is below 10^11). nil when it is
    /// neither. Digits behind the microsecond are rounded as the daemon does.
    static func parse(_ value: ArraySlice<UInt8>) -> Timestamp? {
        guard let first = value.first else { return nil }
        if first == UInt8(ascii: "\"") { return text(JSONScan.string(value)) }
        let number = String(decoding: value, as: UTF8.self)
        if let integer = Int64(number) {
            let isSeconds = integer.magnitude < 100_000_000_000
            let (result, isTooLarge) = integer.multipliedReportingOverflow(by: isSeconds ? 1_000_000 : 1000)
            return isTooLarge || !isWritable(result) ? nil : Timestamp(microseconds: result)
        }
        guard let decimal = Double(number), decimal.magnitude < 1e15 else { return nil }
        let microseconds = (decimal * (decimal.magnitude < 1e11 ? 1e6 : 1e3)).rounded()
        return microseconds.magnitude < 9e18 && isWritable(Int64(microseconds))
            ? Timestamp(microseconds: Int64(microseconds)) : nil
    }

    static func text(_ text: String) -> Timestamp? {
        var rest = Array(text.utf8)[...]
        func number(_ count: Int) -> Int? {
            guard rest.count >= count else { return nil }
            let digits = rest.prefix(count)
            guard digits.allSatisfy({ (48...57).contains($0) }) else { return nil }
            rest = rest.dropFirst(count)
            return digits.reduce(0) { $0 * 10 + Int($1 - 48) }
        }
        func take(_ characters: String) -> Bool {
            guard let first = rest.first, characters.utf8.contains(first) else { return false }
            rest = rest.dropFirst()
            return true
        }
        guard let year = number(4), take("-"), let month = number(2), take("-"), let day = number(2),
            (1...12).contains(month), (1...daysInMonth(year, month)).contains(day)
        else { return nil }
        var microseconds = Int64(days(year, month, day)) * microsecondsPerDay
        guard !rest.isEmpty else { return Timestamp(microseconds: microseconds) }
        guard take("Tt "), let hour = number(2), take(":"), let minute = number(2), hour < 24, minute < 60 else {
            return nil
        }
        microseconds += Int64(hour * 60 + minute) * 60_000_000
        if take(":") {
            guard let second = number(2), second < 60 else { return nil }
            microseconds += Int64(second) * 1_000_000
            if take(".,") {
                let digits = rest.prefix { (48...57).contains($0) }
                rest = rest.dropFirst(digits.count)
                guard !digits.isEmpty, let value = Double("0." + String(decoding: digits, as: UTF8.self)) else {
                    return nil
                }
                microseconds += Int64((value * 1_000_000).rounded(.toNearestOrEven))
            }
        }
        _ = take(" ")
        if take("Zz") || rest.isEmpty { return rest.isEmpty ? Timestamp(microseconds: microseconds) : nil }
        let isWest = rest.first == UInt8(ascii: "-")
        guard take("+-"), let offsetHour = number(2), offsetHour < 24 else { return nil }
        _ = take(":")
        let offsetMinute = rest.isEmpty ? 0 : number(2)
        guard let offsetMinute, offsetMinute < 60, rest.isEmpty else { return nil }
        let offset = Int64(offsetHour * 60 + offsetMinute) * 60_000_000
        return Timestamp(microseconds: microseconds + (isWest ? offset : -offset))
    }

    /// RFC 3339 in UTC with six digits behind the second.
    static func format(_ time: Timestamp) -> String {
        var days = time.microseconds / microsecondsPerDay
        var rest = time.microseconds % microsecondsPerDay
        if rest < 0 {
            days -= 1
            rest += microsecondsPerDay
        }
        let (year, month, day) = civil(Int(days))
        let seconds = Int(rest / 1_000_000)
        func padded(_ value: Int, _ width: Int) -> String {
            let digits = String(value)
            return String(repeating: "0", count: max(0, width - digits.count)) + digits
        }
        return "\(padded(year, 4))-\(padded(month, 2))-\(padded(day, 2))T"
            + "\(padded(seconds / 3600, 2)):\(padded(seconds / 60 % 60, 2)):\(padded(seconds % 60, 2))."
            + "\(padded(Int(rest % 1_000_000), 6))Z"
    }

    /// The first instant of the first month that begins at `time` or later.
    static func monthStart(from time: Timestamp) -> Timestamp {
        var (year, month, _) = civil(Int((time.microseconds - 1).dividedDown(by: microsecondsPerDay)))
        month += 1
        if month > 12 { (year, month) = (year + 1, 1) }
        return Timestamp(microseconds: Int64(days(year, month, 1)) * microsecondsPerDay)
    }

    /// Years 0000 ... 9999.
    private static func isWritable(_ microseconds: Int64) -> Bool {
        (-62_167_219_200_000_000...253_402_300_799_999_999).contains(microseconds)
    }

    private static func daysInMonth(_ year: Int, _ month: Int) -> Int {
        if month == 2 { return year % 4 == 0 && (year % 100 != 0 || year % 400 == 0) ? 29 : 28 }
        return [4, 6, 9, 11].contains(month) ? 30 : 31
    }

    /// Days since 1970. Counts in eras of 400 years that begin on 1 March, so that the leap day is the last of a year.
    private static func days(_ year: Int, _ month: Int, _ day: Int) -> Int {
        let shifted = month <= 2 ? year - 1 : year
        let era = shifted.dividedDown(by: 400)
        let yearOfEra = shifted - era * 400
        let dayOfYear = (153 * (month > 2 ? month - 3 : month + 9) + 2) / 5 + day - 1
        return era * 146_097 + yearOfEra * 365 + yearOfEra / 4 - yearOfEra / 100 + dayOfYear - 719_468
    }

    private static func civil(_ days: Int) -> (year: Int, month: Int, day: Int) {
        let shifted = days + 719_468
        let era = shifted.dividedDown(by: 146_097)
        let dayOfEra = shifted - era * 146_097
        let yearOfEra = (dayOfEra - dayOfEra / 1460 + dayOfEra / 36_524 - dayOfEra / 146_096) / 365
        let dayOfYear = dayOfEra - (365 * yearOfEra + yearOfEra / 4 - yearOfEra / 100)
        let shiftedMonth = (5 * dayOfYear + 2) / 153
        let month = shiftedMonth < 10 ? shiftedMonth + 3 : shiftedMonth - 9
        return (
            yearOfEra + era * 400 + (month <= 2 ? 1 : 0), month, dayOfYear - (153 * shiftedMonth + 2) / 5 + 1
        )
    }
}

extension FixedWidthInteger {
    /// Rounded towards minus infinity.
    fileprivate func dividedDown(by divisor: Self) -> Self {
        self / divisor - (self % divisor < 0 ? 1 : 0)
    }
}
