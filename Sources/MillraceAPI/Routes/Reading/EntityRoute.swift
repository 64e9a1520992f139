internal import HTTPTypes
internal import Hummingbird
internal import MillraceChannels
internal import MillraceJSON
internal import MillracePostgres
internal import MillraceProjections
internal import MillraceRoutes
internal import NIOCore

/// `GET /v1/entities/{pack}/{fold}/{key}`: one entity, with the rows that belong to it.
struct EntityRoute: ReadingRoute {
    static let operation = APIOperation(
        .entity, id: "getEntity", tag: "projections",
        summary: "One entity, and the rows that belong to it: a page of one fold, or `limit` of each list of several",
        access: .read,
        pathParameters: [
            ReadParameters.pack, ReadParameters.fold("entity"),
            APIParameter(
                "key", .text(bytesMax: 1000), "Its key; a key of several columns is separated by commas",
                isRequired: true),
        ],
        parameters: [
            IncludeTree.parameter, ReadParameters.limit(100), ReadParameters.cursor,
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
        if let include = parameters.text("include"), include.contains(where: { $0 == "," || $0 == "." }) {
            let tree = try IncludeTree(
                include, of: fold, entity, in: pack, live, depthMax: configuration.api.includeDepth)
            return try await answer(parameters, pack, entity, values, tree)
        }
        let children = try children(parameters, pack, fold, entity, live)
        let cursor = try parameters.cursor(count: children?.keyCount ?? 0)
        let reader = children.map { children in
            PageReader(
                limit: parameters.integer("limit", default: 100), bytesMax: configuration.api.pageBytes,
                memory: configuration.memory, keyCount: children.keyCount
            ) { children.statement(after: $0) }
        }
        let statement = statement(entity, values, of: parameters.tenant)
        let found = try await catalog.servers.read(.entity, of: parameters.tenant) {
            connection -> (item: ByteBuffer, children: Page?)? in
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
            EntityAnswer(pack: pack, includes: [name], next: .some(page.cursor(parameters.question))),
            rows: [found.item, page.rows], memory: page.memory)
    }

    /// With the lists of several folds.
    private func answer(
        _ parameters: RequestParameters, _ pack: LivePacks.Pack, _ entity: EntityTable, _ values: [String],
        _ tree: IncludeTree
    ) async throws -> Response {
        guard parameters.text("cursor") == nil else {
            throw RequestParameters.invalid("cursor", "left out with several lists; /v1/entities pages each of them")
        }
        let statement = statement(entity, values, of: parameters.tenant)
        let (key, limit) = (parameters.path("key"), parameters.integer("limit", default: 100))
        let memory = MemoryReservation(configuration.memory, for: .pages)
        let found = try await catalog.servers.read(.entity, of: parameters.tenant) {
            connection -> (rows: [ByteBuffer], truncated: [String])? in
            let result = try statement.run(on: connection)
            guard result.rowCount == 1 else { return nil }
            var item = ByteBuffer()
            ResultRows(result).write(0, of: result, to: &item)
            var reader = IncludeReader(
                tenant: parameters.tenant, limit: limit, api: configuration.api, memory: memory)
            let lists = try IncludeReader.atOneMoment(on: connection) {
                try tree.nodes.flatMap { try reader.lists(of: $0, for: [key], on: connection) }
            }
            return ([item] + lists, reader.truncated)
        }
        guard let found else { throw APIProblem(.notFound, "not_found", "there is no such entity") }
        return Response(
            EntityAnswer(pack: pack, includes: tree.nodes.map(\.name), truncated: found.truncated), rows: found.rows,
            memory: memory)
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

    private func statement(_ entity: EntityTable, _ values: [String], of tenant: Int32) -> SQLStatement {
        var statement = SQLStatement("SELECT \(entity.columns) FROM \(entity.table.qualified)")
        statement.append(entity.condition(tenant: tenant))
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
        let node = try IncludeTree.node(name, fold, entity, in: pack, live)
        let (column, key) = (node.reference, parameters.path("key"))
        return EntityPageQuery(
            entity: node.entity, time: node.entity.time(after: [column.name]), isAscending: true,
            tenant: parameters.tenant
        ) { statement in
            let place = statement.bind(key, as: column.type, named: "key")
            statement.append("AND \(SQLStatement.quoted(column.name)) = \(place)")
        }
    }
}

private struct EntityAnswer: JSONShape {
    var pack: LivePacks.Pack
    var item = SingleRow<EntityRow>()
    /// Of the folds whose rows are included.
    var includes: [String] = []
    /// nil where not one is; null where no rows follow.
    var next: String??
    /// nil where not several are.
    var truncated: [String]?

    static let name = "Entity"

    static let fields: [JSONField<Self>] = [
        JSONField("pack", \.pack.definition.name), JSONField("version", \.pack.version), JSONField("item", \.item),
        .others(RowList<EntityRow>.schema, doc: "With `include`: the rows of each, under its name") { answer, json in
            for include in answer.includes {
                json.append(name: include)
                RowList<EntityRow>().write(to: &json)
            }
        },
        JSONField("next", optional: \.next, doc: "With one fold in `include`"),
        JSONField(
            "truncated", optional: \.truncated,
            doc:
                "With several folds in `include`: the lists that lack rows, for more than `limit` belong to one row, or "
                + "api.include_rows_max or api.page_bytes are reached"),
    ]
}
