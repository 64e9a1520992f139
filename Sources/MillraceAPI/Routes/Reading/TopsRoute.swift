internal import HTTPTypes
internal import Hummingbird
internal import MillraceEvent
internal import MillraceJSON
internal import MillracePostgres
internal import MillraceProjections
internal import MillraceRoutes
internal import NIOCore

/// `GET /v1/tops/{pack}/{fold}`: the largest counts first.
struct TopsRoute: ReadingRoute {
    private static let fallbackLimit = 10

    static let operation = APIOperation(
        .tops, id: "tops", tag: "projections",
        summary: "The largest counts first; further parameters are dimensions that rows are told by", access: .read,
        ownRows: .column,
        pathParameters: [ReadParameters.pack, ReadParameters.fold("top")],
        parameters: [
            APIParameter("bucket", .time, "A time within the hour, day or month that is asked for", fallback: "now"),
            ReadParameters.limit(fallbackLimit), ReadParameters.offset,
        ], takesColumns: true, answer: .init(Ranking.self))

    let catalog: PackCatalog
    let configuration: ReadConfiguration

    func respond(_ parameters: RequestParameters) async throws -> Response {
        try await catalog.read(.tops) { try await answer(parameters, $0) }
    }

    private func answer(_ parameters: RequestParameters, _ live: LivePacks) async throws -> Response {
        let pack = try catalog.pack(parameters.path("pack"), in: live)
        let fold = try catalog.fold(parameters.path("fold"), of: pack, "top")
        guard case .top(let top) = fold.kind else { preconditionFailure("a top is a top") }
        let table = try CountsTable(
            catalog.table(fold.table, in: live), unit: top.bucket, dimensions: top.dimensions.map(\.column),
            sums: top.sums.map(\.column))
        let statement = try statement(top, table, parameters)
        let rows = try await catalog.servers.read(.tops, of: parameters.tenant) { connection in
            let result = try statement.run(on: connection)
            let writer = ResultRows(result)
            var rows = ByteBuffer()
            for row in 0..<result.rowCount { writer.write(row, of: result, to: &rows) }
            return rows
        }
        return Response(Ranking(pack: pack), rows: [rows])
    }

    private func statement(
        _ top: FoldKind.Counter, _ table: CountsTable, _ parameters: RequestParameters
    ) throws(APIProblem) -> SQLStatement {
        let keys = table.dimensions.map { SQLStatement.quoted($0.name) }
        let columns = keys + ["n"] + table.sums.map { SQLStatement.quoted($0.name) }
        let bucket = top.bucket == nil ? [] : ["bucket"]
        var statement = SQLStatement(
            "SELECT \((bucket + columns).joined(separator: ", ")) FROM \(table.table.qualified)")
        statement.append("WHERE tenant_id = \(parameters.tenant)")
        if let unit = top.bucket {
            let time = (parameters.time("bucket") ?? .now).rfc3339
            let value = statement.bind(time, as: "timestamptz", named: "bucket")
            statement.append("AND bucket = date_trunc('\(unit.rawValue)', \(value))")
        } else if parameters.text("bucket") != nil {
            throw APIProblem(.badRequest, "no_buckets", "this ranking is of all time; leave out bucket")
        }
        try table.filter(parameters, operation, in: &statement)
        let limit = parameters.integer("limit", default: Self.fallbackLimit)
        // Of what was taken off again.
        statement.append("AND n > 0")
        statement.append("ORDER BY n DESC, \(keys.joined(separator: ", ")) LIMIT \(limit)")
        let offset = try parameters.offset(max: configuration.api.offsetMax)
        if offset > 0 { statement.append("OFFSET \(offset)") }
        return statement
    }
}

private struct Ranking: JSONShape {
    var pack: LivePacks.Pack
    var items = RowList<CountRow>()

    static let name = "Tops"

    static let fields: [JSONField<Self>] = [
        JSONField("pack", \.pack.definition.name), JSONField("version", \.pack.version), JSONField("items", \.items),
    ]
}
