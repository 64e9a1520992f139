extension Partitions {
    /// The months that are attached to `table`, each with its table as SQL names it: by its bounds, since an administrator
    /// may have renamed it. In or out of a transaction. Waits for nobody who has locked a month: `pg_get_expr` would, were it
    /// told the table's id, which it needs for expressions with columns only.
    package func attached(to table: PartitionedTable) throws(PostgresError) -> [PartitionMonth: String] {
        let result = try connection.query(
            """
            SELECT
                format('%I.%I', space.nspname, child.relname),
                pg_catalog.pg_get_expr(child.relpartbound, 0)
            FROM pg_catalog.pg_inherits AS link
            JOIN pg_catalog.pg_class AS child ON child.oid = link.inhrelid
            JOIN pg_catalog.pg_namespace AS space ON space.oid = child.relnamespace
            WHERE link.inhparent = to_regclass($1) AND NOT link.inhdetachpending
            """, parameters: [.text("public.\(table.rawValue)")])
        var attached: [PartitionMonth: String] = [:]
        for row in 0..<result.rowCount {
            guard let name = result.string(row, 0), let bounds = result.string(row, 1).flatMap(Self.months) else {
                continue
            }
            // One table may hold several months.
            var month = bounds.first
            while month < bounds.end, attached.count < 12_000 {
                attached[month] = name
                month = month.advanced(by: 1)
            }
        }
        return attached
    }

    /// Whether there is a table of this name, attached or not.
    package func hasTable(named name: String) throws(PostgresError) -> Bool {
        try connection.query("SELECT to_regclass($1) IS NOT NULL", parameters: [.text("public.\(name)")]).bool(0, 0)
            ?? false
    }

    /// Of `FOR VALUES FROM ('2026-11-01 00:00:00+00') TO ('2026-12-01 00:00:00+00')`; nil for bounds within a month.
    private static func months(_ bounds: String) -> (first: PartitionMonth, end: PartitionMonth)? {
        let pattern =
            #/FROM \('([0-9]{4})-([0-9]{2})-01 00:00:00\+00'\) TO \('([0-9]{4})-([0-9]{2})-01 00:00:00\+00'\)/#
        guard let match = bounds.firstMatch(of: pattern), let fromYear = Int(match.output.1),
            let fromMonth = Int(match.output.2), let toYear = Int(match.output.3), let toMonth = Int(match.output.4),
            let first = PartitionMonth(year: fromYear, month: fromMonth),
            let end = PartitionMonth(year: toYear, month: toMonth)
        else { return nil }
        return (first, end)
    }
}
