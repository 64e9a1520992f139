internal import FoundationEssentials
internal import Hummingbird
internal import MillraceJSON
internal import MillracePostgres
internal import MillraceRoutes

/// `GET /v1/funnels`: how many persons went through event types in order.
struct FunnelsRoute: ReadingRoute {
    private static let stepsMax = 10

    static let operation = APIOperation(
        .funnels, id: "funnels", tag: "product", summary: "Persons that went through event types in order",
        access: .read,
        parameters: [
            APIParameter(
                "steps", .text(bytesMax: 4096),
                "2 to 10 event types, separated by commas, or a JSON array of them", isRequired: true,
                example: "product.page_viewed,product.signed_up"),
            ReportSpan.parameter("within", "From the first step to the last at most", fallback: "7d"),
            ReportReader.bucket("the first step", fallback: "none"),
            APIParameter(
                "property", .text(bytesMax: 200),
                "A member of the first step's payload that rows are told by, with dots between names: `page.path`"),
            APIParameter(
                "values", .integer(1...100), "How many of the property's values, those of most persons", fallback: "20"),
        ] + ReportReader.parameters, answer: .init(ReportAnswer<FunnelRow>.self),
        furtherFailures: ReportReader.failures)

    let reader: ReportReader

    func respond(_ parameters: RequestParameters) async throws -> Response {
        let range = try TimeRange.ofReport(parameters, days: 7, reader.configuration.api)
        let within = try ReportSpan("within", of: parameters, default: "7d", daysMax: 366)
        var statement = SQLStatement("SELECT bucket_start AS bucket, value, step, event_type, n, conversion")
        statement.append("FROM projections.product_funnel(")
        let arguments = [
            statement.bind(PostgresParameter.literal(of: try Self.steps(parameters)), as: "text[]", named: "steps"),
            statement.bind(range.from, as: "timestamptz", named: "from"),
            statement.bind(range.to, as: "timestamptz", named: "to"),
            statement.bind("\(within.seconds) seconds", as: "interval", named: "within"),
            statement.bind(parameters.text("bucket") ?? "none", as: "text", named: "bucket"),
            statement.bind(
                try Self.property(parameters).map { PostgresParameter.literal(of: $0) }, as: "text[]", named: "property"
            ),
            "\(parameters.integer("values", default: 20))",
        ]
        statement.append(arguments.joined(separator: ", ") + ")")
        let report = try await reader.read(
            operation, parameters, statement, reach: range.extended(bySeconds: within.seconds))
        return ReportAnswer<FunnelRow>.response(report, range)
    }

    private static func steps(_ parameters: RequestParameters) throws(APIProblem) -> [String] {
        let text = parameters.text("steps") ?? ""
        let steps: [String]? =
            if text.hasPrefix("[") {
                try? JSONDecoder().decode([String].self, from: Data(text.utf8))
            } else {
                text.split(separator: ",", omittingEmptySubsequences: false).map(String.init)
            }
        guard let steps, (2...stepsMax).contains(steps.count), steps.allSatisfy({ !$0.isEmpty }) else {
            throw RequestParameters.invalid(
                "steps", "2 to \(stepsMax) event types separated by commas, or a JSON array of them")
        }
        return steps
    }

    /// nil where there is none. What is never shown tells nothing here either.
    private static func property(_ parameters: RequestParameters) throws(APIProblem) -> [String]? {
        guard let text = parameters.text("property") else { return nil }
        let path = text.split(separator: ".", omittingEmptySubsequences: false).map(String.init)
        guard path.allSatisfy({ !$0.isEmpty && !$0.hasPrefix("password") }) else {
            throw RequestParameters.invalid("property", "names of members with dots between them, no passwords")
        }
        return path
    }
}

private enum FunnelRow: ReportRow {
    static let reportName = "Funnel"

    static let schema = JSONSchema.object(
        [
            ("bucket", JSONSchema.time.nullable), ("value", JSONSchema.text.nullable), ("step", .integer),
            ("event_type", .text), ("n", JSONSchema.integer.described("Persons that came as far")),
            ("conversion", JSONSchema.number.described("Of those of the first step")),
        ], required: ["bucket", "value", "step", "event_type", "n", "conversion"])
}
