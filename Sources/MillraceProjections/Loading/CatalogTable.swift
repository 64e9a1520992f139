package import MillracePostgres

/// A table as PostgreSQL's catalog has it.
package struct CatalogTable: Sendable, Equatable {
    package struct Column: Sendable, Equatable {
        package var name: String
        /// As SQL names it, without a length or scale: `numeric`, `timestamp with time zone`, `projections.status`.
        package var type: String
        /// With its length or scale: `numeric(12,2)`.
        package var fullType: String
        /// `pg_type.typcategory`: `S` texts, `D` times, `N` numbers, `T` intervals. Of a domain that of its base type.
        package var category: String
        /// Of integers of some size, and of domains over them.
        package var isWhole: Bool
        package var isNotNull: Bool
        /// The expression of its default, and "identity" or "generated" for such columns; nil: none.
        package var fallback: String?

        package var isText: Bool { category == "S" }
        package var isTime: Bool { category == "D" }
        /// Whether there may be a NaN or an infinity of its type.
        package var mayBeInfinite: Bool { category == "D" || category == "T" || category == "N" && !isWhole }
    }

    /// A unique index that is not the primary key.
    package struct UniqueIndex: Sendable, Equatable {
        package var name: String
        /// SQL over the table's columns.
        package var expressions: [String]
        /// SQL over the table's columns: which rows are in the index. nil: all.
        package var predicate: String?
        /// Whether a null is a value like another.
        package var areNullsEqual: Bool
    }

    package var name: String
    /// In their order.
    package var columns: [Column]
    /// Column names of the primary key in its order; empty when there is none.
    package var primaryKey: [String]
    /// In the order of their names.
    package var uniques: [UniqueIndex] = []

    /// The column of this name; nil when the table has none.
    package func column(_ name: String) -> Column? { columns.first { $0.name == name } }

    /// Tables of `schema` whose names start with `prefix`, by name. Blocks.
    package static func read(
        schema: String, prefix: String, on connection: PostgresConnection
    ) throws(PostgresError) -> [String: CatalogTable] {
        let columns = try connection.query(
            """
            SELECT c.relname, a.attname, format_type(a.atttypid, NULL), format_type(a.atttypid, a.atttypmod),
                t.typcategory, a.attnotnull,
                CASE WHEN a.attidentity <> '' THEN 'identity'
                    WHEN a.attgenerated <> '' THEN 'generated'
                    ELSE pg_get_expr(d.adbin, d.adrelid) END,
                EXISTS (
                    WITH RECURSIVE base AS (
                        SELECT t.oid, t.typbasetype
                        UNION ALL
                        SELECT below.oid, below.typbasetype
                        FROM base
                        JOIN pg_type AS below ON below.oid = base.typbasetype
                    )
                    SELECT FROM base WHERE oid IN ('int2'::regtype, 'int4'::regtype, 'int8'::regtype)
                )
            FROM pg_class AS c
            JOIN pg_namespace AS n ON n.oid = c.relnamespace
            JOIN pg_attribute AS a ON a.attrelid = c.oid AND a.attnum > 0 AND NOT a.attisdropped
            JOIN pg_type AS t ON t.oid = a.atttypid
            LEFT JOIN pg_attrdef AS d ON d.adrelid = a.attrelid AND d.adnum = a.attnum
            WHERE n.nspname = $1 AND starts_with(c.relname, $2) AND c.relkind IN ('r', 'p')
            ORDER BY c.relname, a.attnum
            """, parameters: [.text(schema), .text(prefix)])
        var tables: [String: CatalogTable] = [:]
        for row in 0..<columns.rowCount {
            let name = columns.string(row, 0) ?? ""
            tables[name, default: CatalogTable(name: name, columns: [], primaryKey: [])].columns.append(
                Column(
                    name: columns.string(row, 1) ?? "", type: columns.string(row, 2) ?? "",
                    fullType: columns.string(row, 3) ?? "", category: columns.string(row, 4) ?? "",
                    isWhole: columns.bool(row, 7) ?? false,
                    isNotNull: columns.bool(row, 5) ?? false, fallback: columns.string(row, 6)))
        }
        let keys = try connection.query(
            """
            SELECT c.relname, a.attname
            FROM pg_class AS c
            JOIN pg_namespace AS n ON n.oid = c.relnamespace
            JOIN pg_index AS i ON i.indrelid = c.oid AND i.indisprimary
            CROSS JOIN LATERAL unnest(i.indkey::int2[]) WITH ORDINALITY AS k (attnum, place)
            JOIN pg_attribute AS a ON a.attrelid = c.oid AND a.attnum = k.attnum
            WHERE n.nspname = $1 AND starts_with(c.relname, $2)
            ORDER BY c.relname, k.place
            """, parameters: [.text(schema), .text(prefix)])
        for row in 0..<keys.rowCount {
            tables[keys.string(row, 0) ?? ""]?.primaryKey.append(keys.string(row, 1) ?? "")
        }
        try readUniques(of: &tables, schema: schema, prefix: prefix, on: connection)
        return tables
    }

    /// Deferred ones don't keep a statement from going in.
    private static func readUniques(
        of tables: inout [String: CatalogTable], schema: String, prefix: String, on connection: PostgresConnection
    ) throws(PostgresError) {
        let uniques = try connection.query(
            """
            SELECT c.relname, u.relname, pg_get_expr(i.indpred, i.indrelid),
                i.indnullsnotdistinct, pg_get_indexdef(i.indexrelid, k.place, true)
            FROM pg_class AS c
            JOIN pg_namespace AS n ON n.oid = c.relnamespace
            JOIN pg_index AS i ON i.indrelid = c.oid AND i.indisunique AND i.indimmediate AND NOT i.indisprimary
            JOIN pg_class AS u ON u.oid = i.indexrelid
            CROSS JOIN LATERAL generate_series(1, i.indnkeyatts) AS k (place)
            WHERE n.nspname = $1 AND starts_with(c.relname, $2)
            ORDER BY c.relname, u.relname, k.place
            """, parameters: [.text(schema), .text(prefix)])
        for row in 0..<uniques.rowCount {
            let (table, name) = (uniques.string(row, 0) ?? "", uniques.string(row, 1) ?? "")
            if tables[table]?.uniques.last?.name != name {
                tables[table]?.uniques.append(
                    UniqueIndex(
                        name: name, expressions: [], predicate: uniques.string(row, 2),
                        areNullsEqual: uniques.bool(row, 3) ?? false))
            }
            let last = (tables[table]?.uniques.count ?? 0) - 1
            if last >= 0 { tables[table]?.uniques[last].expressions.append(uniques.string(row, 4) ?? "") }
        }
    }
}
