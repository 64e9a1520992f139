package import MillracePostgres

/// The triggers that keep status counts by difference.
///
/// Each counts table has a function of its name with `_keep`, run once a statement on the entity table for inserts,
/// updates and deletes: what rows were is taken off, what they are is added, in the order of the key. Deleted rows don't
/// count. A null is counted as an empty text; a row whose column of another type is null is not counted.
///
/// The slot is the session's `millrace.slot`, else one by the server process, so that two sessions seldom wait for each
/// other; a row's n may be negative in one slot, the sum over slots is right.
package enum StatusCountsSQL {
    /// Makes the functions and triggers of all entity folds of `pack` in `schema`, after its up.sql. Blocks.
    package static func install(
        _ pack: PackDefinition, schema: String, on connection: PostgresConnection
    ) throws(PostgresError) {
        guard !counts(of: pack).isEmpty else { return }
        let tables = try CatalogTable.read(schema: schema, prefix: pack.name + "_", on: connection)
        for (fold, counts) in counts(of: pack) {
            guard let table = tables[fold.table] else { continue }
            try connection.execute(statements(for: counts, of: table, schema: schema))
        }
    }

    /// Removes the functions with their triggers; before down.sql, which does not know them.
    package static func removal(of pack: PackDefinition, schema: String) -> String {
        counts(of: pack).map { "DROP FUNCTION IF EXISTS \(quoted(schema)).\(function(of: $1))() CASCADE;" }
            .joined(separator: "\n")
    }

    /// The function and the three triggers for `counts` of the entity table `table`.
    package static func statements(for counts: StatusCounts, of table: CatalogTable, schema: String) -> String {
        let entity = "\(quoted(schema)).\(quoted(table.name))"
        let function = "\(quoted(schema)).\(function(of: counts))"
        let triggers = [
            ("INSERT", "NEW TABLE AS new_rows"), ("UPDATE", "OLD TABLE AS old_rows NEW TABLE AS new_rows"),
            ("DELETE", "OLD TABLE AS old_rows"),
        ].map { event, rows in
            """
            CREATE TRIGGER \(quoted("\(counts.name)_\(event.lowercased())"))
            AFTER \(event) ON \(entity)
            REFERENCING \(rows)
            FOR EACH STATEMENT EXECUTE FUNCTION \(function)();
            """
        }
        let added = selection(of: counts, table, from: "new_rows", sign: "")
        let removed = selection(of: counts, table, from: "old_rows", sign: "-")
        return """
            CREATE FUNCTION \(function)() RETURNS trigger
            LANGUAGE plpgsql
            SET search_path = \(quoted(schema)), pg_catalog, public, pg_temp
            AS $function$
            BEGIN
                IF TG_OP = 'INSERT' THEN
                    \(upsert(of: counts, from: added));
                ELSIF TG_OP = 'DELETE' THEN
                    \(upsert(of: counts, from: removed));
                ELSE
                    \(upsert(of: counts, from: "\(removed) UNION ALL \(added)"));
                END IF;
                RETURN NULL;
            END
            $function$;
            \(triggers.joined(separator: "\n"))
            """
    }

    private static func counts(of pack: PackDefinition) -> [(FoldDefinition, StatusCounts)] {
        pack.folds.flatMap { fold -> [(FoldDefinition, StatusCounts)] in
            guard case .entity(let entity) = fold.kind else { return [] }
            return entity.counts.map { (fold, $0) }
        }
    }

    private static func function(of counts: StatusCounts) -> String { quoted("\(counts.table)_keep") }

    private static func quoted(_ name: String) -> String { "\"\(name)\"" }

    /// Rows of (key…, n, sums…) that are to be added.
    private static func selection(
        of counts: StatusCounts, _ table: CatalogTable, from rows: String, sign: String
    ) -> String {
        var columns = ["tenant_id"]
        var conditions = ["deleted_at IS NULL"]
        for name in counts.by {
            if table.column(name)?.isText == true {
                columns.append("coalesce(\(quoted(name)), '') AS \(quoted(name))")
            } else {
                columns.append(quoted(name))
                conditions.append("\(quoted(name)) IS NOT NULL")
            }
        }
        if let bucket = counts.bucket {
            columns.append("date_trunc('\(bucket.unit.rawValue)', \(quoted(bucket.column)), 'UTC') AS bucket")
            conditions.append("\(quoted(bucket.column)) IS NOT NULL")
        }
        columns.append("\(sign)1 AS n")
        columns += counts.sums.map { "\(sign)coalesce(\(quoted($0)), 0) AS \(quoted($0))" }
        return "SELECT \(columns.joined(separator: ", ")) FROM \(rows) WHERE \(conditions.joined(separator: " AND "))"
    }

    private static func upsert(of counts: StatusCounts, from rows: String) -> String {
        let keys = ["tenant_id"] + counts.by.map(quoted) + (counts.bucket == nil ? [] : ["bucket"])
        let keyList = keys.joined(separator: ", ")
        let sums = ["n"] + counts.sums.map(quoted)
        let slot =
            "coalesce(nullif(current_setting('millrace.slot', true), '')::smallint, (pg_backend_pid() % 16)::smallint)"
        return """
            INSERT INTO \(quoted(counts.table)) AS kept (\(keyList), slot, \(sums.joined(separator: ", ")))
            SELECT \(keyList), \(slot), \(sums.map { "sum(\($0))" }.joined(separator: ", "))
            FROM (\(rows)) AS changes
            GROUP BY \(keyList)
            HAVING \(sums.map { "sum(\($0)) <> 0" }.joined(separator: " OR "))
            ORDER BY \(keyList)
            ON CONFLICT (\(keyList), slot) DO UPDATE
            SET \(sums.map { "\($0) = kept.\($0) + EXCLUDED.\($0)" }.joined(separator: ", "))
            """
    }
}
