internal import HTTPTypes
internal import MillraceProjections

/// A table of entities, or of appended rows, as routes read it.
struct EntityTable: Sendable {
    /// What the engine keeps for itself.
    private static let hidden: Set = ["tenant_id", "event_id", "deleted_at"]

    let table: CatalogTable
    /// After tenant_id.
    let key: [CatalogTable.Column]

    /// Throws `APIProblem`. `fold`: an entity's or an append's.
    init(_ fold: FoldDefinition, _ table: CatalogTable) throws(APIProblem) {
        let names: [String]
        switch fold.kind {
        case .entity(let entity): names = entity.key.map(\.column)
        default: names = ["event_at", "event_id"]
        }
        self.table = table
        key = names.compactMap { table.column($0) }
        guard key.count == names.count else {
            throw APIProblem(
                .notFound, "unknown_fold",
                "the live version of the pack has no such key; run `millrace projections rebuild`")
        }
    }

    /// What is shown, and what rows can be told by.
    var shown: [CatalogTable.Column] {
        table.columns.filter { !Self.hidden.contains($0.name) && !$0.isSecret }
    }

    var columns: String { shown.map(\.selected).joined(separator: ", ") }

    /// The time that `from` and `to` are of: created_at, or of the last event where rows have none.
    var createdAt: CatalogTable.Column? {
        let own = table.column("created_at")
        return own?.isTime == true ? own : table.column("event_at")
    }

    /// `WHERE` with the conditions of every reading of the table.
    func condition(tenant: Int32) -> String {
        let tenant = "WHERE tenant_id = \(tenant)"
        return table.column("deleted_at") == nil ? tenant : tenant + " AND deleted_at IS NULL"
    }

    /// The time by which rows that equal in `columns` can be read in order: of the index on the tenant, as many of those
    /// columns as can be, and then a time. nil: there is none.
    func time(after columns: Set<String>) -> CatalogTable.Column? {
        var best: (count: Int, column: CatalogTable.Column)?
        for index in table.indexes where index.first == "tenant_id" {
            let rest = index.dropFirst()
            let equal = rest.prefix { columns.contains($0) }
            guard equal.count > best?.count ?? -1, let name = rest.dropFirst(equal.count).first,
                let column = table.column(name), column.isTime
            else { continue }
            best = (equal.count, column)
        }
        return best?.column
    }
}
