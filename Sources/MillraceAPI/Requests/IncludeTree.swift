internal import HTTPTypes
internal import MillraceProjections

/// What `include` asks for: folds whose rows name the rows of another one, level by level
/// (`beneficiaries.documents,conversations`).
struct IncludeTree: Sendable {
    struct Node: Sendable {
        /// Of the fold, and of its list in the answer.
        let name: String
        /// From the top, with dots.
        let path: String
        let entity: EntityTable
        /// That names the row above.
        let reference: CatalogTable.Column
        fileprivate let fold: FoldDefinition
        fileprivate(set) var children: [Node] = []
    }

    static let parameter = APIParameter(
        "include", .text(bytesMax: 512),
        "Folds of the pack whose rows name those that are read, such as messages by workspace_id, separated by commas; "
            + "behind a dot, those whose rows name theirs (beneficiaries.documents), api.include_depth names deep; the "
            + "earliest first")

    private(set) var nodes: [Node] = []
    private let pack: LivePacks.Pack
    private let live: LivePacks
    private let depthMax: Int

    /// `fold`: whose rows are read. Throws `APIProblem`.
    init(
        _ text: String, of fold: FoldDefinition, _ entity: EntityTable, in pack: LivePacks.Pack, _ live: LivePacks,
        depthMax: Int
    ) throws(APIProblem) {
        self.pack = pack
        self.live = live
        self.depthMax = depthMax
        for path in text.split(separator: ",", omittingEmptySubsequences: false) {
            let names = path.split(separator: ".", omittingEmptySubsequences: false).map(String.init)
            guard names.count <= depthMax else {
                throw RequestParameters.invalid("include", "at most \(depthMax) names deep (api.include_depth)")
            }
            try insert(names[...], behind: "", fold, entity, into: &nodes)
        }
    }

    private func insert(
        _ names: ArraySlice<String>, behind path: String, _ fold: FoldDefinition, _ entity: EntityTable,
        into nodes: inout [Node]
    ) throws(APIProblem) {
        guard let name = names.first else { return }
        let index: Int
        if let known = nodes.firstIndex(where: { $0.name == name }) {
            index = known
        } else {
            nodes.append(try Self.node(name, behind: path, fold, entity, in: pack, live))
            index = nodes.count - 1
        }
        let found = nodes[index]
        try insert(names.dropFirst(), behind: found.path, found.fold, found.entity, into: &nodes[index].children)
    }

    /// The fold of this name, whose rows name those of `fold` by `<fold, singular>_id`. Throws `APIProblem`.
    static func node(
        _ name: String, behind path: String = "", _ fold: FoldDefinition, _ entity: EntityTable,
        in pack: LivePacks.Pack, _ live: LivePacks
    ) throws(APIProblem) -> Node {
        let column = singular(fold.name) + "_id"
        let isNamed = fold.kindName == "entity" && entity.key.count == 1
        let folds = pack.definition.folds.filter { child in
            (child.kindName == "entity" || child.kindName == "append")
                && live.tables[child.table]?.indexed.contains { $0.name == column } == true
        }
        guard isNamed, let child = folds.first(where: { $0.name == name }), let table = live.tables[child.table],
            let reference = table.column(column)
        else {
            let known = isNamed ? folds.map(\.name) : []
            let place = path.isEmpty ? "" : " behind \(path)"
            throw RequestParameters.invalid(
                "include",
                known.isEmpty
                    ? "left out\(place): no rows belong to this fold"
                    : "one of \(known.joined(separator: ", "))\(place)")
        }
        guard entity.table.column(name) == nil else {
            throw RequestParameters.invalid("include", "another name than that of a column of \(fold.name): \(name)")
        }
        return Node(
            name: name, path: path.isEmpty ? name : "\(path).\(name)", entity: try EntityTable(child, table),
            reference: reference, fold: child)
    }

    private static func singular(_ name: String) -> String {
        if name.hasSuffix("ies") { return String(name.dropLast(3)) + "y" }
        return name.hasSuffix("s") ? String(name.dropLast()) : name
    }
}
