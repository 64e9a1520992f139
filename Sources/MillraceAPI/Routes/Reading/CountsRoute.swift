internal import Hummingbird
internal import MillraceJSON
internal import MillraceProjections
internal import MillraceRoutes

/// `GET /v1/counts/{pack}/{fold}` and `GET /v1/status-counts/{pack}/{name}`: counts by time and dimensions, in order.
struct CountsRoute: ReadingRoute {
    enum Source: Sendable {
        case counters
        case statusCounts
    }

    private static let fallbackLimit = 1000
    private static let common =
        BucketQuery.parameters + [ReadParameters.limit(fallbackLimit), ReadParameters.cursor, ReadParameters.offset]

    static let operation = APIOperation(
        .counts, id: "counts", tag: "projections",
        summary: "Counts over time; further parameters are dimensions that rows are told by", access: .read,
        ownRows: .column,
        pathParameters: [ReadParameters.pack, ReadParameters.fold("counter")], parameters: common, takesColumns: true,
        answer: .init(CountPage.self))

    static let statusOperation = APIOperation(
        .statusCounts, id: "statusCounts", tag: "projections",
        summary: "Counts of entities by status; by every dimension that no parameter fixes, unless `by` says which",
        access: .read, ownRows: .column,
        pathParameters: [
            ReadParameters.pack,
            APIParameter("name", .text(bytesMax: 64), "Its status counts, as /v1/packs lists them", isRequired: true),
        ], parameters: common, takesColumns: true, answer: .init(CountPage.self))

    let source: Source
    let catalog: PackCatalog
    let configuration: ReadConfiguration

    var operation: APIOperation { source == .counters ? Self.operation : Self.statusOperation }

    func respond(_ parameters: RequestParameters) async throws -> Response {
        try await catalog.read(operation.route) { try await answer(parameters, $0) }
    }

    private func answer(_ parameters: RequestParameters, _ live: LivePacks) async throws -> Response {
        let pack = try catalog.pack(parameters.path("pack"), in: live)
        let table = try table(of: pack, parameters, live)
        let isStatus = source == .statusCounts
        let fixed = Set(parameters.filters.filter { $0.comparison == .equal }.map(\.column))
        let others = isStatus ? table.dimensions.map(\.name).filter { !fixed.contains($0) } : []
        let names = parameters.names("by") ?? others
        let unit = parameters.text("bucket") ?? table.unit?.rawValue ?? "none"
        let cursor = try parameters.cursor(count: 2 + (unit == "none" ? 0 : 1) + names.count)
        let query = try BucketQuery(parameters, table, by: names, kept: cursor)
        let base = try statement(query, table, parameters)
        let keys = query.keys
        let tail = keys.isEmpty ? "" : "GROUP BY \(keys.map(\.expression).joined(separator: ", "))"
        let order = keys.isEmpty ? "" : "ORDER BY \(keys.map(\.expression).joined(separator: ", "))"
        let reader = PageReader(
            limit: parameters.integer("limit", default: Self.fallbackLimit), bytesMax: configuration.api.pageBytes,
            memory: configuration.memory, keyCount: keys.count,
            offset: try parameters.offset(max: configuration.api.offsetMax)
        ) { key in
            var statement = base
            if let key, !keys.isEmpty {
                let places = zip(keys, key).map { statement.bind($1, as: $0.type, named: "cursor") }
                statement.append(
                    "AND (\(keys.map(\.expression).joined(separator: ", "))) > (\(places.joined(separator: ", ")))")
            }
            statement.append(tail)
            // Rows that all went to another status remain as zeros.
            if isStatus, !keys.isEmpty { statement.append("HAVING sum(n) <> 0") }
            statement.append(order)
            return statement
        }
        let page = try await catalog.servers.read(operation.route, of: parameters.tenant) {
            try reader.read(after: cursor.map { Array($0[2...]) }, on: $0)
        }
        return CountPage.response(page, query, pack, parameters)
    }

    private func table(
        of pack: LivePacks.Pack, _ parameters: RequestParameters, _ live: LivePacks
    ) throws(APIProblem) -> CountsTable {
        switch source {
        case .counters:
            let fold = try catalog.fold(parameters.path("fold"), of: pack, "counter")
            guard case .counter(let counter) = fold.kind else { preconditionFailure("a counter is a counter") }
            return try CountsTable(
                catalog.table(fold.table, in: live), unit: counter.bucket, dimensions: counter.dimensions.map(\.column),
                sums: counter.sums.map(\.column))
        case .statusCounts:
            let all = pack.definition.statusCounts
            guard let counts = all.first(where: { $0.name == parameters.path("name") }) else {
                throw catalog.noFold(all.map(\.name), "status counts")
            }
            return try CountsTable(
                catalog.table(counts.table, in: live), unit: counts.bucket?.unit, dimensions: counts.by,
                sums: counts.sums)
        }
    }

    /// Up to the conditions. Its columns: what is grouped by, n, the sums, and again what is grouped by, as the key.
    private func statement(
        _ query: BucketQuery, _ table: CountsTable, _ parameters: RequestParameters
    ) throws(APIProblem) -> SQLStatement {
        let keys = query.keys.map(\.expression)
        let named = query.keys.map { "\($0.expression) AS \(SQLStatement.quoted($0.name))" }
        let sums = table.sums.map { column in
            let name = SQLStatement.quoted(column.name)
            return "coalesce(sum(\(name)), 0) AS \(name)"
        }
        let columns = named + ["coalesce(sum(n), 0)::bigint AS n"] + sums + keys
        var statement = SQLStatement("SELECT \(columns.joined(separator: ", ")) FROM \(table.table.qualified)")
        statement.append("WHERE tenant_id = \(parameters.tenant)")
        if let range = query.range { statement.append("AND " + range.condition(on: "bucket", in: &statement)) }
        try table.filter(parameters, operation, in: &statement)
        return statement
    }

}

/// A page of counts or of uniques.
struct CountPage: JSONShape {
    private var pack: LivePacks.Pack
    private var bucket: String
    private var range: TimeRange?
    private var items = RowList<CountRow>()
    private var next: String?

    static let name = "Counts"

    static let fields: [JSONField<Self>] = [
        JSONField("pack", \.pack.definition.name), JSONField("version", \.pack.version),
        JSONField("bucket", \.bucket, as: .choice(BucketQuery.units)),
        JSONField("from", \.range?.from, as: .time.nullable), JSONField("to", \.range?.to, as: .time.nullable),
        JSONField("items", \.items), JSONField("next", \.next),
    ]

    static func response(
        _ page: Page, _ query: BucketQuery, _ pack: LivePacks.Pack, _ parameters: RequestParameters
    ) -> Response {
        let next = page.cursor(parameters.question, prefix: [query.range?.from, query.range?.to])
        return Response(
            CountPage(pack: pack, bucket: query.unit, range: query.range, next: next), rows: [page.rows],
            memory: page.memory)
    }
}

extension PackDefinition {
    /// Of all its entities.
    var statusCounts: [StatusCounts] {
        folds.flatMap { fold -> [StatusCounts] in
            if case .entity(let entity) = fold.kind { return entity.counts }
            return []
        }
    }
}
