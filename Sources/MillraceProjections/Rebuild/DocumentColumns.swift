import MillracePostgres

/// Which documents a pack looks into. To write one out costs the server more than the rest of its row.
enum DocumentColumns {
    /// `PartitionedTable.encodedColumns` with an empty document in the place of each that no fold of `pack` reads, and NULL
    /// in that of each that would be too large.
    static func encoded(of table: PartitionedTable, for pack: PackDefinition) -> String {
        let name = table.columns[RowLayout.document(of: table)]
        let readers = pack.folds.filter { $0.rowsTable == table && $0.fields.contains { $0.column == name } }
        let read = PrintedSize.guarded(name)
        let document =
            switch types(of: readers, table) {
            case nil: read
            case "": "'{}'::jsonb"
            case let types?: "CASE WHEN \(types) THEN \(read) ELSE '{}'::jsonb END"
            }
        return table.encodedColumns.replacing(", \(name),", with: ", \(document),")
    }

    /// The types of events that `folds` read, as a condition; nil when they are all, empty when they are none.
    private static func types(of folds: [FoldDefinition], _ table: PartitionedTable) -> String? {
        guard table == .analyticsEvents else { return folds.isEmpty ? "" : nil }
        var patterns: Set<EventTypePattern> = []
        for fold in folds {
            if case .events(let taken) = fold.source { patterns.formUnion(taken) }
            if case .entity(let entity) = fold.kind { patterns.formUnion(entity.deletes) }
        }
        guard !patterns.contains(.any) else { return nil }
        let conditions = patterns.map { pattern in
            switch pattern {
            case .any: "true"
            case .prefix(let prefix): "starts_with(event_type, \(quoted(prefix)))"
            case .exactly(let type): "event_type = \(quoted(type))"
            }
        }
        return conditions.sorted().joined(separator: " OR ")
    }

    private static func quoted(_ text: String) -> String { "'\(text.replacing("'", with: "''"))'" }
}

extension FoldDefinition {
    /// Every field that it reads.
    fileprivate var fields: [FieldPath] {
        switch kind {
        case .counter(let counter), .top(let counter): (counter.dimensions + counter.sums).map(\.field)
        case .unique(let unique): unique.dimensions.map(\.field) + [unique.of]
        case .entity(let entity): (entity.key + entity.columns).map(\.field)
        case .append(let columns): columns.map(\.field)
        }
    }
}
