import MillraceProjections

extension ProjectionRecount {
    /// `rows` of a fold, each dead from the first death after its event of a row that it goes with.
    func cascaded(_ rows: String, _ fold: FoldDefinition) throws -> String {
        guard !fold.cascades.isEmpty else { return rows }
        let first = try fold.cascades.map { cascade in
            """
            (
                SELECT min(d.died_at) FROM (\(try deaths(of: cascade.parent))) AS d
                WHERE \(matches(cascade, "d", "r")) AND (d.died_at, d.died_id) > (r.event_at, r.event_id)
            )
            """
        }
        let names = columns(of: fold).map { "r.\($0)" }.joined(separator: ", ")
        return """
            SELECT \(names), coalesce(r.deleted_at, least(\(first.joined(separator: ", ")))) AS deleted_at
            FROM (\(rows)) AS r
            """
    }

    private func matches(_ cascade: Cascade, _ parent: String, _ child: String) -> String {
        (["\(parent).tenant_id = \(child).tenant_id"]
            + cascade.links.map { "\(parent).\($0.key) = \(child).\($0.column)" }).joined(separator: " AND ")
    }

    /// Of `cascaded`, but for `deleted_at`.
    private func columns(of fold: FoldDefinition) -> [String] {
        switch fold.kind {
        case .entity(let entity):
            ["tenant_id"] + entity.key.map(\.column) + entity.columns.map(\.column) + ["event_at", "event_id"]
        case .append(let columns): ["tenant_id", "event_id", "event_at"] + columns.map(\.column)
        case .counter, .top, .unique: []
        }
    }

    /// When rows of the fold were deleted: by their own events, and because they went with others at that time.
    private func deaths(of name: String) throws -> String {
        guard let fold = pack.folds.first(where: { $0.name == name }), case .entity(let entity) = fold.kind else {
            return ""
        }
        let keys = entity.key.map(\.column)
        let keyList = keys.joined(separator: ", ")
        let values = try entity.key.map { "\(try value($0, fold)) AS \($0.column)" }.joined(separator: ", ")
        let isDelete = Self.filter(entity.deletes)
        let present = try entity.key.map { "\(try raw($0, fold)) IS NOT NULL" }.joined(separator: " AND ")
        let own = """
            SELECT tenant_id, \(values), created_at AS died_at, id AS died_id
            FROM \(rows(fold)) WHERE \(isDelete) AND \(present)
            """
        guard !fold.cascades.isEmpty else { return own }
        let pointers = try entity.columns.filter { column in
            fold.cascades.contains { $0.links.contains { $0.column == column.column } }
        }.map { "CASE WHEN NOT (\(isDelete)) THEN \(try value($0, fold)) END AS \($0.column)" }
        let derived = try fold.cascades.map { cascade in
            """
            SELECT w.tenant_id, \(keys.map { "w.\($0)" }.joined(separator: ", ")), d.died_at, d.died_id
            FROM (
                SELECT *, lead(event_at) OVER later AS next_at, lead(event_id) OVER later AS next_id
                FROM (
                    SELECT tenant_id, \(values), \(pointers.joined(separator: ", ")), created_at AS event_at, id AS event_id
                    FROM \(rows(fold)) WHERE (\(filter(fold.source)) OR \(isDelete)) AND \(present)
                ) AS events
                WINDOW later AS (PARTITION BY tenant_id, \(keyList) ORDER BY event_at, event_id)
            ) AS w
            JOIN (\(try deaths(of: cascade.parent))) AS d ON \(matches(cascade, "d", "w"))
                AND (d.died_at, d.died_id) > (w.event_at, w.event_id)
                AND (w.next_at IS NULL OR (d.died_at, d.died_id) < (w.next_at, w.next_id))
            """
        }
        return ([own] + derived).joined(separator: "\nUNION ALL\n")
    }
}
