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
            guard let name = result.string(row, 0),
                let months = result.string(row, 1).flatMap(PartitionMonth.months(bounds:))
            else { continue }
            // One table may hold several months.
            for month in months.prefix(max(0, 12_000 - attached.count)) { attached[month] = name }
        }
        return attached
    }

    /// Whether there is a table of this name, attached or not.
    package func hasTable(named name: String) throws(PostgresError) -> Bool {
        try connection.query("SELECT to_regclass($1) IS NOT NULL", parameters: [.text("public.\(name)")]).bool(0, 0)
            ?? false
    }
}
