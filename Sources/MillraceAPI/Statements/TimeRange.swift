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
