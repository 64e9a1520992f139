internal import HTTPTypes
internal import Hummingbird
internal import MillraceJSON
internal import MillracePostgres
internal import MillraceProjections
internal import MillraceRoutes
internal import NIOCore

/// `GET /v1/entities/{pack}/{fold}/{key}`: one entity, with the rows that belong to it.
struct EntityRoute: ReadingRoute {
    static let operation = APIOperation(
        .entity, id: "getEntity", tag: "projections",
        summary: "One entity, and a page of the rows that belong to it", access: .read,
        pathParameters: [
            ReadParameters.pack, ReadParameters.fold("entity"),
            APIParameter(
                "key", .text(bytesMax: 1000), "Its key; a key of several columns is separated by commas",
                isRequired: true),
        ],
        parameters: [
            APIParameter(
                "include", .text(bytesMax: 64),
                "A fold of the pack whose rows name the entity, such as messages by workspace_id; the earliest first"),
            ReadParameters.limit(100), ReadParameters.cursor,
        ], answer: .init(EntityAnswer.self))

    let catalog: PackCatalog
    let configuration: ReadConfiguration

    func respond(_ parameters: RequestParameters) async throws -> Response {
        try await catalog.read(.entity) { try await answer(parameters, $0) }
    }

    private func answer(_ parameters: RequestParameters, _ live: LivePacks) async throws -> Response {
        let pack = try catalog.pack(parameters.path("pack"), in: live)
        let fold = try catalog.fold(parameters.path("fold"), of: pack, "entity")
        let entity = try EntityTable(fold, catalog.table(fold.table, in: live))
        let values = try values(parameters.path("key"), entity)
        let children = try children(parameters, pack, fold, entity, live)
        let cursor = try parameters.cursor(count: children?.keyCount ?? 0)
        let reader = children.map { children in
            PageReader(
                limit: parameters.integer("limit", default: 100), bytesMax: configuration.api.pageBytes,
                memory: configuration.memory, keyCount: children.keyCount
            ) { children.statement(after: $0) }
        }
        let statement = statement(entity, values)
        let found = try await catalog.pool.read(.entity) { connection -> (item: ByteBuffer, children: Page?)? in
            let result = try statement.run(on: connection)
            guard result.rowCount == 1 else { return nil }
            var item = ByteBuffer()
            ResultRows(result).write(0, of: result, to: &item)
            return (item, try reader?.read(after: cursor, on: connection))
        }
        guard let found else { throw APIProblem(.notFound, "not_found", "there is no such entity") }
        guard let page = found.children, let name = parameters.text("include") else {
            return Response(EntityAnswer(pack: pack), rows: [found.item])
        }
        return Response(
            EntityAnswer(pack: pack, include: name, next: .some(page.cursor(parameters.question))),
            rows: [found.item, page.rows], memory: page.memory)
    }

    /// One for each column of the key. Throws `APIProblem`.
    private func values(_ text: String, _ entity: EntityTable) throws(APIProblem) -> [String] {
        guard entity.key.count > 1 else { return [text] }
        let values = text.split(separator: ",", omittingEmptySubsequences: false).map(String.init)
        guard values.count == entity.key.count else {
            throw RequestParameters.invalid(
                "key",
                "\(entity.key.count) values separated by commas: \(entity.key.map(\.name).joined(separator: ", "))")
        }
        return values
    }

    private func statement(_ entity: EntityTable, _ values: [String]) -> SQLStatement {
        var statement = SQLStatement("SELECT \(entity.columns) FROM \(entity.table.qualified)")
        statement.append(entity.condition(tenant: configuration.tenant))
        for (column, value) in zip(entity.key, values) {
            let place = statement.bind(value, as: column.type, named: "key")
            statement.append("AND \(SQLStatement.quoted(column.name)) = \(place)")
        }
        return statement
    }

    /// The rows that name the entity by `<fold, singular>_id`. Throws `APIProblem`.
    private func children(
        _ parameters: RequestParameters, _ pack: LivePacks.Pack, _ fold: FoldDefinition, _ entity: EntityTable,
        _ live: LivePacks
    ) throws(APIProblem) -> EntityPageQuery? {
        guard let name = parameters.text("include") else {
            guard parameters.text("cursor") == nil, parameters.text("limit") == nil else {
                throw APIProblem(.badRequest, "missing_parameter", "limit and cursor are of include, which is missing")
            }
            return nil
        }
        let column = Self.singular(fold.name) + "_id"
        let folds = pack.definition.folds.filter { child in
            (child.kindName == "entity" || child.kindName == "append")
                && live.tables[child.table]?.indexed.contains { $0.name == column } == true
        }
        guard let child = folds.first(where: { $0.name == name }), entity.key.count == 1 else {
            let known = entity.key.count == 1 ? folds.map(\.name) : []
            throw RequestParameters.invalid(
                "include",
                known.isEmpty ? "left out: no rows belong to this fold" : "one of \(known.joined(separator: ", "))")
        }
        let table = try EntityTable(child, catalog.table(child.table, in: live))
        let (type, key) = (table.table.column(column)?.type ?? "text", parameters.path("key"))
        return EntityPageQuery(
            entity: table, time: table.time(after: [column]), isAscending: true, tenant: configuration.tenant
        ) { statement in
            let place = statement.bind(key, as: type, named: "key")
            statement.append("AND \(SQLStatement.quoted(column)) = \(place)")
        }
    }

    private static func singular(_ name: String) -> String {
        if name.hasSuffix("ies") { return String(name.dropLast(3)) + "y" }
        return name.hasSuffix("s") ? String(name.dropLast()) : name
    }
}

private struct EntityAnswer: JSONShape {
    var pack: LivePacks.Pack
    var item = SingleRow<EntityRow>()
    /// Of the fold whose rows are included.
    var include: String?
    /// nil where none is; null where no rows follow.
    var next: String??

    static let name = "Entity"

    static let fields: [JSONField<Self>] = [
        JSONField("pack", \.pack.definition.name), JSONField("version", \.pack.version), JSONField("item", \.item),
        .others(RowList<EntityRow>.schema, doc: "With `include`: its rows, under its name") { answer, json in
            guard let include = answer.include else { return }
            json.append(name: include)
            RowList<EntityRow>().write(to: &json)
        },
        JSONField("next", optional: \.next, doc: "With `include`"),
    ]
}
