internal import MillraceEvent
internal import MillraceJSON
internal import MillracePostgres

/// Times as exports write them.
enum RecordTime {
    /// From a JSON value: a text like `2025-12-28T10:00:00.5+01:00` (a blank for the `T`, no offset = UTC, no time of
    /// day = midnight), or a number of milliseconds since 1970 (of seconds when it is below 10^11). nil when it is
    /// neither. Digits after the microsecond are rounded as the daemon does.
    static func parse(_ value: ArraySlice<UInt8>) -> Timestamp? {
        guard let first = value.first else { return nil }
        if first == UInt8(ascii: "\"") { return text(JSONString.text(of: value)) }
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
        var rest = Substring(text)
        let date = rest.prefix(10)
        rest = rest.dropFirst(10)
        guard !rest.isEmpty else { return Timestamp(rfc3339: "\(date)T00:00:00Z") }
        let minute = rest.prefix(6)
        rest = rest.dropFirst(6)
        let second = rest.prefix { ":.,0123456789".contains($0) }
        rest = rest.dropFirst(second.count)
        if rest.first == " " { rest = rest.dropFirst() }
        return Timestamp(
            rfc3339: date + minute + (second.isEmpty ? ":00" : second.replacing(",", with: ".")) + offset(rest))
    }

    /// `±hh:mm` for `±hhmm` and `±hh`, `Z` for nothing; what is none of these stays as it is.
    private static func offset(_ text: Substring) -> String {
        guard !text.isEmpty else { return "Z" }
        if text.count == 3 { return text + ":00" }
        if text.count == 5, !text.contains(":") { return "\(text.prefix(3)):\(text.suffix(2))" }
        return String(text)
    }

    /// The first instant of the first month that begins at `time` or later; `time` itself beyond the years 1 ... 9998.
    static func monthStart(from time: Timestamp) -> Timestamp {
        let before = PartitionMonth(microseconds: time.microseconds - 1)
        return before.map { Timestamp(microseconds: $0.upperMicroseconds) } ?? time
    }

    /// Years 0000 ... 9999.
    private static func isWritable(_ microseconds: Int64) -> Bool {
        (-62_167_219_200_000_000...253_402_300_799_999_999).contains(microseconds)
    }
}
