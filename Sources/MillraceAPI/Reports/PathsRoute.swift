internal import Hummingbird
internal import MillraceJSON
internal import MillraceRoutes

/// `GET /v1/paths`: which events come after which.
struct PathsRoute: ReadingRoute {
    static let operation = APIOperation(
        .paths, id: "paths", tag: "product", summary: "Which events come after which, the most frequent paths first",
        access: .read,
        parameters: [
            APIParameter(
                "type", .text(bytesMax: 200), "Where paths begin", fallback: "the first event of each session"),
            APIParameter("length", .integer(1...10), "Events that follow, at most", fallback: "3"),
            SessionsRoute.gap,
        ] + ReportReader.parameters, answer: .init(ReportAnswer<PathRow>.self),
        furtherFailures: ReportReader.failures)

    let reader: ReportReader

    func respond(_ parameters: RequestParameters) async throws -> Response {
        let range = try TimeRange.ofReport(parameters, days: 7, reader.configuration.api)
        let gap = try ReportSpan("gap", of: parameters, default: "30m", daysMax: 7)
        let rows =
            parameters.integer("limit", default: ReportReader.rowsFallback) + parameters.integer("offset", default: 0)
        var statement = SQLStatement("SELECT to_jsonb(path) AS path, n FROM projections.product_paths(")
        let arguments = [
            statement.bind(range.from, as: "timestamptz", named: "from"),
            statement.bind(range.to, as: "timestamptz", named: "to"),
            statement.bind(parameters.text("type"), as: "text", named: "type"),
            "\(parameters.integer("length", default: 3))",
            statement.bind("\(gap.seconds) seconds", as: "interval", named: "gap"), "\(rows)",
        ]
        statement.append(arguments.joined(separator: ", ") + ")")
        let report = try await reader.read(operation, parameters, statement, reach: range)
        return ReportAnswer<PathRow>.response(report, range)
    }
}

private enum PathRow: ReportRow {
    static let reportName = "Paths"

    static let schema = JSONSchema.object(
        [
            ("path", JSONSchema.array(of: .text).described("Event types in their order")), ("n", .integer),
        ], required: ["path", "n"])
}
