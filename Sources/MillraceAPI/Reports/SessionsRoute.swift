internal import Hummingbird
internal import MillraceJSON
internal import MillraceRoutes

/// `GET /v1/sessions`: how many, how long, how many of one event.
struct SessionsRoute: ReadingRoute {
    static let gap = ReportSpan.parameter("gap", "What a session's events may lie apart", fallback: "30m")

    static let operation = APIOperation(
        .sessions, id: "sessions", tag: "product", summary: "Sessions: how many, how long, how many of one event",
        access: .read,
        parameters: [
            gap, ReportReader.bucket("a session's first event", fallback: "day"),
        ] + ReportReader.parameters, answer: .init(ReportAnswer<SessionRow>.self),
        furtherFailures: ReportReader.failures)

    let reader: ReportReader

    func respond(_ parameters: RequestParameters) async throws -> Response {
        let range = try TimeRange.ofReport(parameters, days: 7, reader.configuration.api)
        let gap = try ReportSpan("gap", of: parameters, default: "30m", daysMax: 7)
        var statement = SQLStatement("SELECT bucket_start AS bucket, n, events, bounces, bounce_rate, seconds_average,")
        statement.append("seconds_longest FROM projections.product_sessions(")
        let arguments = [
            statement.bind(range.from, as: "timestamptz", named: "from"),
            statement.bind(range.to, as: "timestamptz", named: "to"),
            statement.bind("\(gap.seconds) seconds", as: "interval", named: "gap"),
            statement.bind(parameters.text("bucket") ?? "day", as: "text", named: "bucket"),
        ]
        statement.append(arguments.joined(separator: ", ") + ")")
        let report = try await reader.read(operation, parameters, statement, reach: range)
        return ReportAnswer<SessionRow>.response(report, range)
    }
}

private enum SessionRow: ReportRow {
    static let reportName = "Sessions"

    static let schema = JSONSchema.object(
        [
            ("bucket", JSONSchema.time.nullable), ("n", .integer), ("events", .integer),
            ("bounces", JSONSchema.integer.described("Sessions of one event")), ("bounce_rate", .number),
            ("seconds_average", JSONSchema.number.described("From the first event to the last")),
            ("seconds_longest", .number),
        ], required: ["bucket", "n", "events", "bounces", "bounce_rate", "seconds_average", "seconds_longest"])
}
