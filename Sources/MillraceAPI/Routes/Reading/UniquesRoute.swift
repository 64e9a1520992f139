internal import Hummingbird
internal import MillraceProjections
internal import MillraceRoutes

/// `GET /v1/uniques/{pack}/{fold}`: how many distinct values there were, by time and dimensions. Counts of several
/// rows can't be added up, so each group is one merge of its sketches.
struct UniquesRoute: ReadingRoute {
    private static let fallbackLimit = 1000

    static let operation = APIOperation(
        .uniques, id: "uniques", tag: "projections",
        summary: "Distinct values over time; further parameters are dimensions that rows are told by", access: .read,
        ownRows: .column,
        pathParameters: [ReadParameters.pack, ReadParameters.fold("unique")],
        parameters: BucketQuery.parameters + [
            ReadParameters.limit(fallbackLimit), ReadParameters.cursor, ReadParameters.offset,
        ],
        takesColumns: true, answer: .init(CountPage.self))

    let catalog: PackCatalog
    let configuration: ReadConfiguration

    func respond(_ parameters: RequestParameters) async throws -> Response {
        try await catalog.read(.uniques) { try await answer(parameters, $0) }
    }

    private func answer(_ parameters: RequestParameters, _ live: LivePacks) async throws -> Response {
        let pack = try catalog.pack(parameters.path("pack"), in: live)
        let fold = try catalog.fold(parameters.path("fold"), of: pack, "unique")
        guard case .unique(let unique) = fold.kind else { preconditionFailure("a unique is a unique") }
        let table = try CountsTable(
            catalog.table(fold.table, in: live), unit: unique.bucket, dimensions: unique.dimensions.map(\.column),
            sums: [])
        let names = parameters.names("by") ?? []
        let unit = parameters.text("bucket") ?? table.unit?.rawValue ?? "none"
        let cursor = try parameters.cursor(count: 2 + (unit == "none" ? 0 : 1) + names.count)
        let query = try BucketQuery(parameters, table, by: names, kept: cursor)
        let isChunked = unique.isChunked(table.table.columns.map(\.name))
        let statement = try Self.statement(
            query, table, parameters, after: cursor.map { Array($0[2...]) }, tenant: parameters.tenant,
            isChunked: isChunked)
        let reader = SketchReader(
            statement: statement, keyCount: query.keys.count,
            limit: parameters.integer("limit", default: Self.fallbackLimit),
            offset: try parameters.offset(max: configuration.api.offsetMax), isChunked: isChunked)
        let page = try await catalog.servers.read(.uniques, of: parameters.tenant) { try reader.read(on: $0) }
        return CountPage.response(page, query, pack, parameters)
    }

    /// Rows in order of their groups, for `SketchReader`.
    static func statement(
        _ query: BucketQuery, _ table: CountsTable, _ parameters: RequestParameters, after key: [String?]?,
        tenant: Int32, isChunked: Bool
    ) throws(APIProblem) -> SQLStatement {
        let keys = query.keys
        let named = keys.map { "\($0.expression) AS \(SQLStatement.quoted($0.name))" }
        let columns = named + keys.map(\.expression) + SketchReader.columns(isChunked: isChunked)
        var statement = SQLStatement("SELECT \(columns.joined(separator: ", ")) FROM \(table.table.qualified)")
        statement.append("WHERE tenant_id = \(tenant)")
        if let range = query.range { statement.append("AND " + range.condition(on: "bucket", in: &statement)) }
        try table.filter(parameters, operation, in: &statement)
        let expressions = keys.map(\.expression).joined(separator: ", ")
        if let key, !keys.isEmpty {
            let places = zip(keys, key).map { statement.bind($1, as: $0.type, named: "cursor") }
            statement.append("AND (\(expressions)) > (\(places.joined(separator: ", ")))")
        }
        if !keys.isEmpty { statement.append("ORDER BY \(expressions)") }
        return statement
    }
}
