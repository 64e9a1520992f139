internal import MillraceEvent

/// A span of time of a request: from, included, to, excluded.
struct TimeRange: Sendable {
    var from: String
    var to: String

    /// `from` and `to` of the request; what it leaves out is `length` before the end, and `ahead` of now. Throws
    /// `APIProblem` when the span is empty.
    init(
        _ parameters: RequestParameters, length: Duration, ahead: Duration = .zero, now: Timestamp = .now
    ) throws(APIProblem) {
        let to = parameters.time("to") ?? now.advanced(by: ahead)
        let from = parameters.time("from") ?? max(to.advanced(by: .zero - length), TimeText.range.lowerBound)
        guard from < to else { throw RequestParameters.invalid("from", "before to") }
        self.init(from: from.rfc3339, to: to.rfc3339)
    }

    /// The same; `cursor` goes on within the range of its first page.
    init(
        _ parameters: RequestParameters, _ cursor: [String?]?, length: Duration, ahead: Duration
    ) throws(APIProblem) {
        if let cursor, let from = cursor[0], let to = cursor[1] {
            self.init(from: from, to: to)
        } else {
            try self.init(parameters, length: length, ahead: ahead)
        }
    }

    init(from: String, to: String) {
        self.from = from
        self.to = to
    }

    /// `column >= … AND column < …`
    func condition(on column: String, in statement: inout SQLStatement) -> String {
        let from = statement.bind(from, as: "timestamptz", named: "from")
        let to = statement.bind(to, as: "timestamptz", named: "to")
        return "\(column) >= \(from) AND \(column) < \(to)"
    }

    static let parameters = [
        APIParameter("from", .time, "Start of the time range, included", example: "2026-11-01T00:00:00Z"),
        APIParameter("to", .time, "End of the time range, excluded"),
    ]
}

/// Times as clients and PostgreSQL write them.
enum TimeText {
    /// What PostgreSQL writes for a timestamptz in ISO style and UTC, in RFC 3339: `2026-11-21T10:00:00.5Z`. A year before
    /// 1 or after 9999 has its sign and six digits, as ISO 8601 and JavaScript have it (`-000043-03-15T00:00:00Z` is in 44
    /// BC); `infinity` and `-infinity` are these words.
    static func rfc3339(_ text: String) -> String {
        let isBeforeChrist = text.hasSuffix(" BC")
        let plain = isBeforeChrist ? text.dropLast(3) : text[...]
        guard plain.hasSuffix("+00"), let blank = plain.firstIndex(of: " ") else { return text }
        let (date, time) = (plain[..<blank], plain[plain.index(after: blank)...].dropLast(3))
        guard isBeforeChrist || date.utf8.count > "2026-11-21".utf8.count else { return date + "T" + time + "Z" }
        let (year, rest) = (date.prefix { $0 != "-" }, date.drop { $0 != "-" })
        guard let count = Int(year) else { return text }
        // 1 BC is the year 0.
        let number = isBeforeChrist ? 1 - count : count
        let digits = String(number.magnitude)
        let zeros = String(repeating: "0", count: max(0, 6 - digits.count))
        return "\(number < 0 ? "-" : "+")\(zeros)\(digits)\(rest)T\(time)Z"
    }

    /// RFC 3339 with an offset, a date (its midnight in UTC), or milliseconds since 1970; nil for anything else. Years
    /// 1 … 9999.
    static func parse(_ text: String) -> Timestamp? {
        let time: Timestamp? =
            if let milliseconds = Int64(text), !text.hasPrefix("+") {
                milliseconds.magnitude < 1_000_000_000_000_000 ? Timestamp(microseconds: milliseconds * 1000) : nil
            } else {
                Timestamp(rfc3339: text.utf8.count == "2026-11-21".utf8.count ? text + "T00:00:00Z" : text)
            }
        return time.flatMap { range.contains($0) ? $0 : nil }
    }

    /// 0001-01-01T00:00:00Z to the end of 9999.
    static let range =
        Timestamp(microseconds: -62_135_596_800_000_000)..<Timestamp(microseconds: 253_402_300_800_000_000)
}
