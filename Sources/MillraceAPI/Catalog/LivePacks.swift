internal import MillracePostgres
internal import MillraceProjections

/// What can be read of the packs: those that are live in the database and known to this daemon.
struct LivePacks: Sendable {
    struct Pack: Sendable {
        var definition: PackDefinition
        /// Of the tables; a pack that is being rebuilt is older than its definition.
        var version: Int
    }

    private(set) var packs: [String: Pack] = [:]
    private(set) var tables: [String: CatalogTable] = [:]

    init() {}

    /// Blocks.
    init(definitions: [PackDefinition], on connection: PostgresConnection) throws(PostgresError) {
        let versions = try connection.execute(
            "SELECT pack, version FROM projections.versions WHERE state = 'live' AND schema_name = 'projections'")
        for row in 0..<versions.rowCount {
            guard let name = versions.string(row, 0), let version = versions.int(row, 1),
                let definition = definitions.first(where: { $0.name == name })
            else { continue }
            packs[name] = Pack(definition: definition, version: version)
        }
        let columns = try connection.execute(
            """
            SELECT c.relname, a.attname,
                -- character is character(1) in a cast.
                CASE a.atttypid WHEN 'bpchar'::regtype THEN 'bpchar' ELSE pg_catalog.format_type(a.atttypid, NULL) END,
                t.typcategory, a.attnotnull
            FROM pg_catalog.pg_class AS c
            JOIN pg_catalog.pg_namespace AS s ON s.oid = c.relnamespace
            JOIN pg_catalog.pg_attribute AS a ON a.attrelid = c.oid
            JOIN pg_catalog.pg_type AS t ON t.oid = a.atttypid
            WHERE s.nspname = 'projections' AND c.relkind IN ('r', 'p') AND a.attnum > 0 AND NOT a.attisdropped
            ORDER BY c.relname, a.attnum
            """)
        for row in 0..<columns.rowCount {
            guard let table = columns.string(row, 0), let name = columns.string(row, 1),
                let type = columns.string(row, 2)
            else { continue }
            tables[table, default: CatalogTable(name: table, columns: [], indexes: [])].columns.append(
                CatalogTable.Column(
                    name: name, type: type, category: columns.string(row, 3) ?? "",
                    isNotNull: columns.bool(row, 4) ?? false))
        }
        let indexes = try connection.execute(
            """
            SELECT c.relname, i.indexrelid, a.attname
            FROM pg_catalog.pg_index AS i
            JOIN pg_catalog.pg_class AS c ON c.oid = i.indrelid
            JOIN pg_catalog.pg_namespace AS s ON s.oid = c.relnamespace
            JOIN pg_catalog.pg_class AS x ON x.oid = i.indexrelid
            JOIN pg_catalog.pg_am AS m ON m.oid = x.relam
            CROSS JOIN LATERAL unnest(i.indkey) WITH ORDINALITY AS k (attnum, place)
            LEFT JOIN pg_catalog.pg_attribute AS a ON a.attrelid = c.oid AND a.attnum = k.attnum AND a.attnum > 0
            WHERE s.nspname = 'projections' AND i.indisvalid AND m.amname = 'btree' AND k.place <= i.indnkeyatts
                AND (i.indpred IS NULL OR pg_catalog.pg_get_expr(i.indpred, i.indrelid) = '(deleted_at IS NULL)')
            ORDER BY c.relname, i.indexrelid, k.place
            """)
        var last: String?
        var isEnded = false
        for row in 0..<indexes.rowCount {
            guard let table = indexes.string(row, 0) else { continue }
            if indexes.string(row, 1) != last {
                tables[table]?.indexes.append([])
                isEnded = false
            }
            last = indexes.string(row, 1)
            // What stands after an expression does not help rows that are found without it.
            guard let name = indexes.string(row, 2), !isEnded else {
                isEnded = true
                continue
            }
            if let place = tables[table]?.indexes.indices.last { tables[table]?.indexes[place].append(name) }
        }
    }
}
