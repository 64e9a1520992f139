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
    /// What PostgreSQL writes for a timestamptz in ISO style and UTC, in RFC 3339: `2026-11-21T10:00:00.5Z`. What has no
    /// such form (`infinity`) stays as it is.
    static func rfc3339(_ text: String) -> String {
        guard text.hasSuffix("+00"), let blank = text.firstIndex(of: " ") else { return text }
        return text[..<blank] + "T" + text[text.index(after: blank)...].dropLast(3) + "Z"
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
