import MillraceProjections

/// Which event's row each key of a table with unique indexes must have, and which events must wait: all events one by one,
/// in their order, as nobody would do it who has to be quick.
struct UniqueValueRecount {
    private struct Event {
        var key: Substring
        var id: Substring
        /// One an index; nil: none.
        var values: [Substring?]
    }

    private let fold: FoldDefinition
    private let entity: FoldKind.Entity
    private let auditor: Auditor
    /// Columns of each unique index.
    private let indexes: [[String]]

    /// nil: the table has none.
    init?(fold: FoldDefinition, entity: FoldKind.Entity, auditor: Auditor) throws {
        self.fold = fold
        self.entity = entity
        self.auditor = auditor
        indexes = try auditor.strings(
            """
            SELECT string_agg(attname, ',' ORDER BY attname)
            FROM pg_index
            JOIN pg_attribute ON attrelid = indrelid AND attnum = ANY (indkey) AND attname <> 'tenant_id'
            WHERE indrelid = 'projections.\(fold.table)'::regclass AND indisunique AND NOT indisprimary
            GROUP BY indexrelid
            """
        ).map { $0.split(separator: ",").map(String.init) }
        guard !indexes.isEmpty else { return nil }
    }

    func differences(_ recount: ProjectionRecount) throws -> [String] {
        var rows: [Substring: Event] = [:]
        var waiting: [Substring: (number: Int, event: Event)] = [:]
        func isFree(_ event: Event) -> Bool {
            !rows.contains { key, row in
                key != event.key && zip(row.values, event.values).contains { $0 != nil && $0 == $1 }
            }
        }
        for (number, event) in try events(recount).enumerated() {
            waiting[event.key] = (number, event)
            while let next = waiting.values.filter({ isFree($0.event) }).min(by: { $0.number < $1.number }) {
                rows[next.event.key] = next.event
                waiting[next.event.key] = nil
            }
        }
        let should =
            rows.values.map { "\($0.key) has \($0.id)" } + waiting.values.map { "\($0.event.key) waits \($0.event.id)" }
        let key = (["tenant_id::text"] + entity.key.map { "\($0.column)::text" }).joined(separator: " || ' ' || ")
        let found =
            try auditor.strings("SELECT \(key) || ' has ' || event_id FROM projections.\(fold.table)")
            + auditor.strings(
                """
                SELECT tenant_id || ' ' || key || ' waits ' || event_id FROM projections.parked
                WHERE fold = '\(fold.name)' AND pack = '\(recount.pack.name)' AND code = 'waiting'
                """)
        let missing = Set(should).subtracting(found).sorted().prefix(3)
        let extra = Set(found).subtracting(should).sorted().prefix(3)
        return missing.isEmpty && extra.isEmpty ? [] : ["\(fold.table): should be \(missing), is \(extra)"]
    }

    private func events(_ recount: ProjectionRecount) throws -> [Event] {
        let isDelete = entity.deletes.isEmpty ? "false" : ProjectionRecount.filter(entity.deletes)
        let keys = try (["tenant_id::text"] + entity.key.map { "(\(try recount.value($0, fold)))::text" })
            .joined(separator: " || ' ' || ")
        let values = try indexes.map { columns in
            let texts = try columns.map { name -> String in
                guard let mapping = entity.columns.first(where: { $0.column == name }) else { return "NULL" }
                return "(\(try recount.value(mapping, fold)))::text"
            }
            return
                "COALESCE(CASE WHEN NOT (\(isDelete)) THEN \((["tenant_id::text"] + texts).joined(separator: " || ' ' || ")) END, '')"
        }
        let lines = try auditor.strings(
            """
            SELECT concat_ws('|', \(([keys, "id::text"] + values).joined(separator: ", ")))
            FROM \(recount.rows(fold))
            WHERE (\(recount.filter(fold.source)) OR \(isDelete)) AND \(keys) IS NOT NULL
                AND (created_at, id, tenant_id) NOT IN (
                    SELECT event_at, event_id, tenant_id FROM projections.parked
                    WHERE pack = '\(recount.pack.name)' AND fold = '\(fold.name)' AND code <> 'waiting'
                )
            ORDER BY created_at, id
            """)
        return lines.map { line in
            let parts = line.split(separator: "|", omittingEmptySubsequences: false)
            return Event(key: parts[0], id: parts[1], values: parts[2...].map { $0.isEmpty ? nil : $0 })
        }
    }
}
