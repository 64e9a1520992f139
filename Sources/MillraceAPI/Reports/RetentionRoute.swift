internal import Hummingbird
internal import MillraceJSON
internal import MillraceRoutes

/// `GET /v1/retention`: whether persons come back, by when they first came.
struct RetentionRoute: ReadingRoute {
    private static let days = ["day": 1, "week": 7, "month": 31]
    private static let periodsFallback = 8

    static let operation = APIOperation(
        .retention, id: "retention", tag: "product",
        summary: "Persons by when they first came, and whether they came back",
        access: .read,
        parameters: [
            APIParameter(
                "period", .choice(["day", "week", "month"]), "Of cohorts, and of coming back", fallback: "week"),
            APIParameter(
                "periods", .integer(1...100), "How many, the cohort's own included", fallback: "\(periodsFallback)"),
        ] + ReportReader.parameters, answer: .init(ReportAnswer<RetentionRow>.self),
        furtherFailures: ReportReader.failures)

    let reader: ReportReader

    func respond(_ parameters: RequestParameters) async throws -> Response {
        let period = parameters.text("period") ?? "week"
        let periods = parameters.integer("periods", default: Self.periodsFallback)
        let length = (Self.days[period] ?? 7) * periods
        let range = try TimeRange.ofReport(parameters, days: length, reader.configuration.api)
        var statement = SQLStatement(
            "SELECT cohort, period_number AS period, n, rate FROM projections.product_retention(")
        let arguments = [
            statement.bind(range.from, as: "timestamptz", named: "from"),
            statement.bind(range.to, as: "timestamptz", named: "to"),
            statement.bind(period, as: "text", named: "period"), "\(periods)",
        ]
        statement.append(arguments.joined(separator: ", ") + ")")
        // Who came before is no one's first.
        let reach = TimeRange(from: "0001-01-01T00:00:00Z", to: range.extended(bySeconds: length * 86_400).to)
        let report = try await reader.read(operation, parameters, statement, reach: reach)
        return ReportAnswer<RetentionRow>.response(report, range)
    }
}

private enum RetentionRow: ReportRow {
    static let reportName = "Retention"

    static let schema = JSONSchema.object(
        [
            ("cohort", .time), ("period", JSONSchema.integer.described("From 0, the cohort's own")), ("n", .integer),
            ("rate", JSONSchema.number.described("Of the cohort")),
        ], required: ["cohort", "period", "n", "rate"])
}
