import MillracePostgres

/// The views of a pack's entities, appended rows and rankings, `TABLE_now`: the rows of the session's tenant that are not
/// deleted, without columns of passwords. Every index starts with the tenant, so a plain query of the view is as fast as one
/// that names it.
enum ReadingViews {
    /// PostgreSQL's longest name, in bytes.
    private static let nameBytesMax = 63

    /// Makes those that `schema` has no relation of the same name for, after the pack's up.sql. Blocks.
    ///
    /// - Returns: the names of the views that were made.
    static func install(
        _ pack: PackDefinition, schema: String, on connection: PostgresConnection
    ) throws(PostgresError) -> [String] {
        let names = names(of: pack)
        guard !names.isEmpty else { return [] }
        let tables = try CatalogTable.read(schema: schema, prefix: pack.name + "_", on: connection)
        var made: [String] = []
        for (table, view) in names {
            guard let table = tables[table] else { continue }
            let qualified = "\(quoted(schema)).\(quoted(view))"
            let look = try connection.query("SELECT to_regclass($1) IS NULL", parameters: [.text(qualified)])
            guard look.bool(0, 0) == true else { continue }
            try connection.execute(statement(qualified, of: table, schema: schema))
            made.append(view)
        }
        return made
    }

    /// Whether `install` would make some. Blocks.
    static func areMissing(
        _ pack: PackDefinition, schema: String, on connection: PostgresConnection
    ) throws(PostgresError) -> Bool {
        let found = try connection.query(
            """
            SELECT EXISTS (
                SELECT FROM unnest($1::text[], $2::text[]) AS wanted (made_of, name)
                WHERE to_regclass(format('%I.%I', $3::text, made_of)) IS NOT NULL
                    AND to_regclass(format('%I.%I', $3::text, name)) IS NULL)
            """,
            parameters: [
                .array(names(of: pack).map(\.table)), .array(names(of: pack).map(\.view)), .text(schema),
            ])
        return found.bool(0, 0) == true
    }

    /// Removes them before down.sql, which does not know them; an up.sql's own views of such names are left to it.
    static func removal(of pack: PackDefinition, schema: String) -> String {
        names(of: pack).filter { !pack.downSQL.contains($0.view) }
            .map { "DROP VIEW IF EXISTS \(quoted(schema)).\(quoted($0.view));" }.joined(separator: "\n")
    }

    private static func names(of pack: PackDefinition) -> [(table: String, view: String)] {
        pack.folds.compactMap { fold -> (table: String, view: String)? in
            switch fold.kind {
            case .entity, .append, .top: break
            case .counter, .unique: return nil
            }
            let view = fold.table + "_now"
            return view.utf8.count <= nameBytesMax ? (fold.table, view) : nil
        }
    }

    private static func statement(_ view: String, of table: CatalogTable, schema: String) -> String {
        let columns = table.columns.map(\.name).filter { $0 != "deleted_at" && !$0.hasPrefix("password") }
        let isSoft = table.column("deleted_at") != nil
        return """
            CREATE VIEW \(view) AS
            SELECT \(columns.map(quoted).joined(separator: ", "))
            FROM \(quoted(schema)).\(quoted(table.name))
            WHERE tenant_id = (SELECT public.millrace_tenant())\(isSoft ? " AND deleted_at IS NULL" : "");
            COMMENT ON VIEW \(view) IS 'Rows of \(table.name) as they are now, of the session''s tenant.'
            """
    }

    private static func quoted(_ name: String) -> String { "\"" + name.replacing("\"", with: "\"\"") + "\"" }
}
