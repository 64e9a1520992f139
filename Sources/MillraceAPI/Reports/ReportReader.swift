internal import MillraceEvent
internal import MillracePostgres
internal import MillraceRoutes
internal import NIOCore

/// Answers reports of the pack `product`: out of what is kept, as long as no event has come that could change it, or by its
/// function.
struct ReportReader: Sendable {
    static let packName = "product"
    static let rowsFallback = 1000

    /// Parameters that every report takes.
    static let parameters =
        TimeRange.parameters + [
            ReadParameters.limit(rowsFallback), ReadParameters.offset,
            APIParameter(
                "max_age", .integer(0...3600), "An answer that is up to as many seconds old will do", fallback: "0"),
        ]

    static let failures = [(404, "The pack product is not loaded")]

    /// Of reports by time. `what`: whose time tells the row.
    static func bucket(_ what: String, fallback: String) -> APIParameter {
        APIParameter(
            "bucket", .choice(["none", "hour", "day", "week", "month"]),
            "Length of a row's time, UTC, by \(what); none: no times", fallback: fallback)
    }

    let catalog: PackCatalog
    let reports: KnownReports
    let configuration: ReadConfiguration

    /// `statement`: without LIMIT. `reach`: the time of the rows that it looks at. Throws as the pool does.
    func read(
        _ operation: APIOperation, _ parameters: RequestParameters, _ statement: SQLStatement, reach: TimeRange
    ) async throws -> KnownReports.Report {
        let limit = parameters.integer("limit", default: Self.rowsFallback)
        let offset = try parameters.offset(max: configuration.api.offsetMax)
        var statement = statement
        statement.append("LIMIT \(limit) OFFSET \(offset)")
        let asked = statement
        let values = statement.arguments.map { $0.value ?? "" }
        let question = KnownReports.Question(
            tenant: parameters.tenant, server: ReadPlace.currentServer,
            text: ([statement.text] + values).joined(separator: "\u{0}"))
        let lifetime = configuration.api.reportsLifetime
        let kept = reports.kept(question)
        let lag = ReadPlace.current?.lag ?? .zero
        // One that was made before the caller's lines were there is not what was asked for, however young it is.
        if ReadPlace.current?.isAfter != true, let kept,
            kept.age <= .seconds(parameters.integer("max_age", default: 0))
        {
            return kept
        }
        return try await catalog.read(operation.route) { live in
            _ = try catalog.pack(Self.packName, in: live)
            let version = Self.version(of: reach)
            if let kept, kept.age < lifetime {
                let now = try await catalog.servers.read(operation.route, of: parameters.tenant) {
                    try version.run(on: $0).string(0, 0)
                }
                if now == kept.version { return kept }
            }
            return try await reports.report(question, bytesMax: configuration.api.reportsBytes) {
                try await catalog.servers.read(operation.route, of: parameters.tenant) { connection in
                    try IncludeReader.atOneMoment(on: connection) {
                        let version = try version.run(on: connection).string(0, 0) ?? ""
                        let asOf = Timestamp.now.advanced(by: .zero - lag).rfc3339
                        let madeAt = ContinuousClock.now - lag
                        let result = try asked.run(on: connection)
                        let writer = ResultRows(result)
                        var rows = ByteBuffer()
                        for row in 0..<result.rowCount { writer.write(row, of: result, to: &rows) }
                        return KnownReports.Report(version: version, rows: rows, asOf: asOf, madeAt: madeAt)
                    }
                }
            }
        }
    }

    /// Another text after each transaction that put events into these days, changed those that are there, or joined ids.
    private static func version(of reach: TimeRange) -> SQLStatement {
        var statement = SQLStatement(
            "SELECT concat(md5(string_agg(concat(xmin, ' ', n), ',' ORDER BY bucket, slot)), ' ',")
        statement.append("(SELECT n FROM projections.product_changes")
        statement.append("WHERE tenant_id = (SELECT public.millrace_tenant())))")
        statement.append("FROM projections.product_events_by_day WHERE tenant_id = (SELECT public.millrace_tenant())")
        let since = statement.bind(reach.from, as: "timestamptz", named: "from")
        let until = statement.bind(reach.to, as: "timestamptz", named: "to")
        statement.append("AND bucket >= date_trunc('day', \(since), 'UTC') AND bucket < \(until)")
        return statement
    }
}
