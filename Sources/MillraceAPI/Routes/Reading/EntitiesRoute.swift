internal import HTTPTypes
internal import Hummingbird
internal import MillraceEvent
internal import MillraceChannels
internal import MillraceJSON
internal import MillraceProjections
internal import MillraceRoutes

/// `GET /v1/entities/{pack}/{fold}`: the rows of an entity, or of an append fold.
struct EntitiesRoute: ReadingRoute {
    static let operation = APIOperation(
        .entities, id: "listEntities", tag: "projections",
        summary: "Entities, the most recent first; further parameters are columns that rows are told by",
        access: .read, pathParameters: [ReadParameters.pack, ReadParameters.fold("entity or append")],
        parameters: [
            APIParameter(
                "order", .choice(["recent", "key"]),
                "recent: by the time of the index that fits the filters, or by key where there is none",
                fallback: "recent"),
            APIParameter(
                "from", .time, "Only rows whose created_at (event_at, where they have none) is this or later",
                example: "2026-11-01T00:00:00Z"),
            APIParameter("to", .time, "Only rows whose created_at is earlier"),
            IncludeTree.parameter,
            APIParameter(
                "include_limit", .integer(1...ReadParameters.rowsMax), "Most rows of each list of include",
                fallback: "100"),
            ReadParameters.limit(50), ReadParameters.cursor, ReadParameters.offset,
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
        let conditions = try parameters.conditions(of: entity.shown, Self.operation)
        let equal = Set(conditions.filter { $0.comparison == .equal }.map(\.column.name))
        if let from = parameters.time("from"), let to = parameters.time("to"), from >= to {
            throw RequestParameters.invalid("from", "before to")
        }
        let tree = try parameters.text("include").map { (text) throws(APIProblem) in
            try IncludeTree(text, of: fold, entity, in: pack, live, depthMax: configuration.api.includeDepth)
        }
        let isRecent = parameters.text("order") != "key"
        let query = EntityPageQuery(
            entity: entity, time: isRecent ? entity.time(after: equal) : nil,
            isAscending: !isRecent, tenant: parameters.tenant
        ) { statement in
            for condition in conditions { condition.append(to: &statement) }
            for (name, sign) in [("from", ">="), ("to", "<")] {
                guard let time = parameters.time(name), let column = entity.createdAt else { continue }
                let place = statement.bind(time.rfc3339, as: column.type, named: name)
                statement.append("AND \(SQLStatement.quoted(column.name)) \(sign) \(place)")
            }
        }
        let cursor = try parameters.cursor(count: query.keyCount)
        let reader = PageReader(
            limit: parameters.integer("limit", default: 50), bytesMax: configuration.api.pageBytes,
            memory: configuration.memory, keyCount: query.keyCount,
            offset: try parameters.offset(max: configuration.api.offsetMax), keepsKeys: tree != nil
        ) { query.statement(after: $0) }
        let order = query.time.map { [$0.name] } ?? entity.key.map(\.name)
        let includeLimit = parameters.integer("include_limit", default: 100)
        let (page, truncated) = try await catalog.servers.read(.entities, of: parameters.tenant) {
            connection -> (Page, [String]?) in
            guard let tree else { return (try reader.read(after: cursor, on: connection), nil) }
            let page = try reader.read(after: cursor, on: connection)
            var include = IncludeReader(
                tenant: parameters.tenant, limit: includeLimit, api: configuration.api,
                memory: MemoryReservation(configuration.memory, for: .pages))
            return (try include.add(tree, to: page, on: connection), include.truncated)
        }
        return Response(
            EntityPage(
                pack: pack, order: order.joined(separator: ","), next: page.cursor(parameters.question),
                truncated: truncated),
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
}

private struct EntityPage: JSONShape {
    var pack: LivePacks.Pack
    /// Columns, separated by commas.
    var order: String
    var items = RowList<EntityRow>()
    var next: String?
    /// nil where nothing is included.
    var truncated: [String]?

    static let fields: [JSONField<Self>] = [
        JSONField("pack", \.pack.definition.name), JSONField("version", \.pack.version), JSONField("order", \.order),
        JSONField("items", \.items), JSONField("next", \.next),
        JSONField(
            "truncated", optional: \.truncated,
            doc: "With `include`: the lists that lack rows, for more than `include_limit` belong to one row, or "
                + "api.include_rows_max or api.page_bytes are reached"),
    ]
}
