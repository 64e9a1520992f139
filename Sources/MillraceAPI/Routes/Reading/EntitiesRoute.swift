internal import HTTPTypes
internal import Hummingbird
internal import MillraceJSON
internal import MillraceProjections
internal import MillraceRoutes

/// `GET /v1/entities/{pack}/{fold}`: the rows of an entity, or of an append fold.
struct EntitiesRoute: ReadingRoute {
    static let operation = APIOperation(
        .entities, id: "listEntities", tag: "projections",
        summary: "Entities, the most recent first; further parameters are indexed columns that rows must equal",
        access: .read, pathParameters: [ReadParameters.pack, ReadParameters.fold("entity or append")],
        parameters: [
            APIParameter(
                "order", .choice(["recent", "key"]),
                "recent: by the time of the index that fits the filters, or by key where there is none",
                fallback: "recent"),
            ReadParameters.limit(50), ReadParameters.cursor,
        ], takesColumns: true, answer: .init(EntityPage.self))

    let catalog: PackCatalog
    let configuration: ReadConfiguration

    func respond(_ parameters: RequestParameters) async throws -> Response {
        try await catalog.read(.entities) { try await answer(parameters, $0) }
    }

    private func answer(_ parameters: RequestParameters, _ live: LivePacks) async throws -> Response {
        let pack = try catalog.pack(parameters.path("pack"), in: live)
        let fold = try Self.fold(parameters.path("fold"), of: pack, catalog)
        let entity = try EntityTable(fold, catalog.table(fold.table, in: live))
        let filters = try parameters.filters.map { (filter) throws(APIProblem) in
            (column: try Self.column(filter.column, of: entity), value: filter.value)
        }
        let isRecent = parameters.text("order") != "key"
        let query = EntityPageQuery(
            entity: entity, time: isRecent ? entity.time(after: Set(filters.map(\.column.name))) : nil,
            isAscending: !isRecent, tenant: configuration.tenant
        ) { statement in
            for (column, value) in filters {
                let place = statement.bind(value, as: column.type, named: column.name)
                statement.append("AND \(SQLStatement.quoted(column.name)) = \(place)")
            }
        }
        let cursor = try parameters.cursor(count: query.keyCount)
        let reader = PageReader(
            limit: parameters.integer("limit", default: 50), bytesMax: configuration.api.pageBytes,
            memory: configuration.memory, keyCount: query.keyCount
        ) { query.statement(after: $0) }
        let page = try await catalog.pool.read(.entities) { try reader.read(after: cursor, on: $0) }
        let order = query.time.map { [$0.name] } ?? entity.key.map(\.name)
        return Response(
            EntityPage(pack: pack, order: order.joined(separator: ","), next: page.cursor(parameters.question)),
            rows: [page.rows], memory: page.memory)
    }

    /// Throws `APIProblem`.
    static func fold(
        _ name: String, of pack: LivePacks.Pack, _ catalog: PackCatalog
    ) throws(APIProblem) -> FoldDefinition {
        let folds = pack.definition.folds.filter { $0.kindName == "entity" || $0.kindName == "append" }
        if let fold = folds.first(where: { $0.name == name }) { return fold }
        throw catalog.noFold(folds.map(\.name), "entity or append fold")
    }

    private static func column(_ name: String, of entity: EntityTable) throws(APIProblem) -> CatalogTable.Column {
        let indexed = entity.table.indexed
        if let column = indexed.first(where: { $0.name == name }) { return column }
        if entity.table.column(name) != nil, name != "tenant_id" {
            throw APIProblem(
                .badRequest, "not_indexed",
                "\(name) is in no index, so rows can't be found by it; there are "
                    + indexed.map(\.name).joined(separator: ", "))
        }
        throw RequestParameters.unknown(name, known: operation.parameters.map(\.name) + indexed.map(\.name))
    }
}

private struct EntityPage: JSONShape {
    var pack: LivePacks.Pack
    /// Columns, separated by commas.
    var order: String
    var items = RowList<EntityRow>()
    var next: String?

    static let fields: [JSONField<Self>] = [
        JSONField("pack", \.pack.definition.name), JSONField("version", \.pack.version), JSONField("order", \.order),
        JSONField("items", \.items), JSONField("next", \.next),
    ]
}
