package import MillracePostgres

/// The tables and indexes that the engine makes beside those of a pack with cascades, in the same schema. A pack's author
/// does nothing for them.
///
/// Beside a fold whose rows others go with:
///
/// ```
/// TABLE__deaths   key, event_at, event_id   when a row was deleted, each time; is_derived: because it went with another
/// TABLE__dying    key                       rows with other deaths than before, until what goes with them is settled
/// ```
///
/// Beside one whose rows go with others, and others with them, also `TABLE__moves`: key, event_at, event_id and whom the
/// row pointed to from then on. A deletion that comes late finds there what pointed to the deleted row at its time. A fold
/// with patches has this in its history (`HistoryTables`).
package enum CascadeTables {
    static func deaths(of table: String) -> String { HistoryTables.name(table, "__deaths") }
    static func dying(of table: String) -> String { HistoryTables.name(table, "__dying") }
    static func moves(of table: String) -> String { HistoryTables.name(table, "__moves") }

    /// Makes them in `schema`, after the pack's up.sql. Blocks.
    package static func install(
        _ pack: PackDefinition, schema: String, on connection: PostgresConnection
    ) throws(PostgresError) {
        let folds = pack.cascadeOrder
        guard !folds.isEmpty else { return }
        let tables = try CatalogTable.read(schema: schema, prefix: pack.name + "_", on: connection)
        func quoted(_ table: String) -> String { "\"\(schema)\".\"\(table)\"" }
        for fold in folds {
            guard let table = tables[fold.table] else { continue }
            let (own, key) = (quoted(table.name), table.primaryKey.map { "\"\($0)\"" }.joined(separator: ", "))
            if pack.isParent(fold) {
                let (deaths, dying) = (quoted(deaths(of: table.name)), quoted(dying(of: table.name)))
                try connection.execute(
                    """
                    CREATE TABLE \(deaths) AS
                    SELECT \(key), event_at, event_id, false AS is_derived FROM \(own) WITH NO DATA;
                    ALTER TABLE \(deaths)
                        ADD PRIMARY KEY (\(key), event_at, event_id),
                        ALTER COLUMN is_derived SET NOT NULL;
                    CREATE TABLE \(dying) AS SELECT \(key) FROM \(own) WITH NO DATA;
                    ALTER TABLE \(dying) ADD PRIMARY KEY (\(key));
                    COMMENT ON TABLE \(deaths) IS 'When rows of \(table.name) were deleted: what pointed to them went with them.';
                    COMMENT ON TABLE \(dying) IS 'Rows of \(table.name) whose deletion is on its way to what points to them.'
                    """)
            }
            let isBetween = pack.isParent(fold) && !fold.cascades.isEmpty && !fold.hasPatches
            if isBetween {
                let moves = quoted(moves(of: table.name))
                let pointers = fold.pointers.map { "\"\($0)\"" }.joined(separator: ", ")
                try connection.execute(
                    """
                    CREATE TABLE \(moves) AS
                    SELECT \(key), event_at, event_id, \(pointers) FROM \(own) WITH NO DATA;
                    ALTER TABLE \(moves) ADD PRIMARY KEY (\(key), event_at, event_id);
                    COMMENT ON TABLE \(moves) IS 'Which rows those of \(table.name) pointed to, from when on.'
                    """)
            }
            for cascade in fold.cascades {
                let columns = ["tenant_id"] + cascade.links.map(\.column)
                let list = columns.map { "\"\($0)\"" }.joined(separator: ", ")
                if isBetween { try connection.execute("CREATE INDEX ON \(quoted(moves(of: table.name))) (\(list))") }
                guard try !hasIndex(table.name, schema: schema, columns, on: connection) else { continue }
                try connection.execute("CREATE INDEX ON \(own) (\(list))")
            }
        }
    }

    /// Removes them; before down.sql, which does not know them.
    package static func removal(of pack: PackDefinition, schema: String) -> String {
        pack.cascadeOrder.flatMap { [deaths(of: $0.table), dying(of: $0.table), moves(of: $0.table)] }
            .map { "DROP TABLE IF EXISTS \"\(schema)\".\"\($0)\";" }.joined(separator: "\n")
    }

    /// Whether an index of all rows begins with `columns`, whatever their order.
    private static func hasIndex(
        _ table: String, schema: String, _ columns: [String], on connection: PostgresConnection
    ) throws(PostgresError) -> Bool {
        let found = try connection.query(
            """
            SELECT EXISTS (
                SELECT FROM pg_index AS i
                JOIN pg_class AS c ON c.oid = i.indrelid
                JOIN pg_namespace AS n ON n.oid = c.relnamespace
                JOIN pg_class AS own ON own.oid = i.indexrelid
                JOIN pg_am AS method ON method.oid = own.relam AND method.amname = 'btree'
                WHERE n.nspname = $1 AND c.relname = $2 AND i.indpred IS NULL
                    AND (
                        SELECT array_agg(attname::text ORDER BY attname::text COLLATE "C")
                        FROM unnest(i.indkey::int2[]) WITH ORDINALITY AS k (attnum, place)
                        JOIN pg_attribute AS a ON a.attrelid = c.oid AND a.attnum = k.attnum
                        WHERE k.place <= cardinality($3::text[])
                    ) = (SELECT array_agg(name ORDER BY name COLLATE "C") FROM unnest($3::text[]) AS name)
            )
            """, parameters: [.text(schema), .text(table), .array(columns)])
        return found.bool(0, 0) ?? false
    }
}

extension FoldDefinition {
    /// Columns that say whom a row goes with, each once.
    var pointers: [String] {
        var columns: [String] = []
        for link in cascades.flatMap(\.links) where !columns.contains(link.column) { columns.append(link.column) }
        return columns
    }
}
