import MillracePostgres

/// Compares the live tables of a pack with those of a recount, key by key, slots added up.
struct TableComparison {
    let connection: PostgresConnection
    /// Where the recount's tables are.
    let schema: String
    /// Differences that are kept of each table.
    let limit: Int
    let timeout: Duration

    private static let live = PackVersion.liveSchema

    /// `n` and sums of a counter or top, or of status counts.
    func summed(
        _ table: String, keys: [String], values: [String], where condition: String?
    ) throws(PostgresError) -> ProjectionRecount.Table {
        let filter = condition.map { " WHERE \($0)" } ?? ""
        func side(_ schema: String) -> String {
            let sums = values.map { "sum(\(Self.quoted($0))) AS \(Self.quoted($0))" }
            return """
                SELECT \(texts(keys)), \(sums.joined(separator: ", "))
                FROM \(schema).\(table)\(filter)
                GROUP BY \(keys.map(Self.quoted).joined(separator: ", "))
                """
        }
        return try compare(table, side(Self.live), side(schema), keys: keys, values: values, missing: "0")
    }

    /// Rows of an entity or append table: each of `columns`.
    func rows(
        _ table: String, keys: [String], columns: [String], where condition: String?
    ) throws(PostgresError) -> ProjectionRecount.Table {
        let filter = condition.map { " WHERE \($0)" } ?? ""
        func side(_ schema: String) -> String {
            let values = columns.map { "\(Self.quoted($0))::text AS \(Self.quoted($0))" }
            return "SELECT \(texts(keys)), \(values.joined(separator: ", ")) FROM \(schema).\(table)\(filter)"
        }
        return try compare(table, side(Self.live), side(schema), keys: keys, values: columns, missing: nil)
    }

    /// Events of an entity that wait for a value which another has; `live`, `counted`: their `version_id`.
    func waiting(
        _ fold: FoldDefinition, live: Int32, counted: Int32
    ) throws(PostgresError) -> ProjectionRecount.Table {
        func side(_ version: Int32) -> String {
            """
            SELECT entity::text AS entity, key, event_at::text AS event_at, event_id::text AS event_id, message
            FROM projections.parked
            WHERE version_id = \(version) AND fold = '\(fold.name)' AND code = '\(ParkedEvent.waitingCode)'
            """
        }
        return try compare(
            "\(fold.table), waiting", side(live), side(counted), keys: ["entity"],
            values: ["key", "event_at", "event_id", "message"], missing: nil)
    }

    /// The live counts of a status against the live entities themselves.
    func counts(_ counts: StatusCounts, of entity: CatalogTable) throws(PostgresError) -> ProjectionRecount.Table {
        let keys = ["tenant_id"] + counts.by + (counts.bucket == nil ? [] : ["bucket"])
        let values = ["n"] + counts.sums
        let kept = """
            SELECT \(texts(keys)), \(values.map { "sum(\(Self.quoted($0))) AS \(Self.quoted($0))" }.joined(separator: ", "))
            FROM \(Self.live).\(counts.table)
            GROUP BY \(keys.map(Self.quoted).joined(separator: ", "))
            """
        var columns = ["tenant_id::text AS tenant_id"]
        var conditions = ["deleted_at IS NULL"]
        for name in counts.by {
            let isText = entity.column(name)?.isText == true
            columns.append(
                (isText ? "COALESCE(\(Self.quoted(name)), '')" : Self.quoted(name)) + "::text AS \(Self.quoted(name))")
            if !isText { conditions.append("\(Self.quoted(name)) IS NOT NULL") }
        }
        if let bucket = counts.bucket {
            columns.append(
                "date_trunc('\(bucket.unit.rawValue)', \(Self.quoted(bucket.column)), 'UTC')::text AS bucket")
            conditions.append("\(Self.quoted(bucket.column)) IS NOT NULL")
        }
        let sums = ["count(*) AS n"] + counts.sums.map { "COALESCE(sum(\(Self.quoted($0))), 0) AS \(Self.quoted($0))" }
        let counted = """
            SELECT \((columns + sums).joined(separator: ", "))
            FROM \(Self.live).\(entity.name)
            WHERE \(conditions.joined(separator: " AND "))
            GROUP BY \((1...keys.count).map(String.init).joined(separator: ", "))
            """
        return try compare(counts.table, kept, counted, keys: keys, values: values, missing: "0")
    }

    /// `missing`: what a value counts as where there is no row.
    private func compare(
        _ table: String, _ found: String, _ expected: String, keys: [String], values: [String], missing: String?
    ) throws(PostgresError) -> ProjectionRecount.Table {
        func value(_ side: String, _ name: String) -> String {
            let column = "\(side).\(Self.quoted(name))"
            return missing.map { "COALESCE(\(column), \($0))" } ?? column
        }
        let differs = values.map { "\(value("found", $0)) IS DISTINCT FROM \(value("expected", $0))" }
        func shown(_ side: String) -> String {
            let parts = zip(values, differs).map { name, differs in
                "CASE WHEN \(differs) THEN '\(name)=' || COALESCE(left(\(side).\(Self.quoted(name))::text, 60), 'NULL') END"
            }
            return
                "CASE WHEN \(side).is_there IS NULL THEN 'no row' ELSE concat_ws(', ', \(parts.joined(separator: ", "))) END"
        }
        let key = keys.map { "'\($0)=' || \(Self.quoted($0))" }.joined(separator: ", ")
        let presence = missing == nil ? " OR found.is_there IS DISTINCT FROM expected.is_there" : ""
        let rows = try connection.execute(
            """
            SELECT concat_ws(', ', \(key)), \(shown("found")), \(shown("expected")), count(*) OVER ()
            FROM (SELECT *, true AS is_there FROM (\(found)) AS rows) AS found
            FULL JOIN (SELECT *, true AS is_there FROM (\(expected)) AS rows) AS expected
                USING (\(keys.map(Self.quoted).joined(separator: ", ")))
            WHERE \(differs.joined(separator: " OR "))\(presence)
            ORDER BY 1
            LIMIT \(limit)
            """, timeout: timeout)
        return ProjectionRecount.Table(
            table: table, differenceCount: rows.rowCount == 0 ? 0 : rows.int(0, 3) ?? 0,
            differences: (0..<rows.rowCount).map { row in
                ProjectionRecount.Difference(
                    key: rows.string(row, 0) ?? "", found: rows.string(row, 1) ?? "",
                    expected: rows.string(row, 2) ?? "")
            })
    }

    /// Keys as texts: an enum of one version can't be compared with that of another.
    private func texts(_ keys: [String]) -> String {
        keys.map { "\(Self.quoted($0))::text AS \(Self.quoted($0))" }.joined(separator: ", ")
    }

    static func quoted(_ name: String) -> String { "\"\(name)\"" }
}
