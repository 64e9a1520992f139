package import MillracePostgres

/// The tables, views, types and functions of one version, which move from schema to schema together. Live versions of
/// all packs share a schema, so what belongs to one is recorded when it is made. To be used in a transaction.
package struct VersionObjects {
    /// One object that `SET SCHEMA` moves, with all that goes along: indexes, constraints, sequences of columns.
    private struct Object {
        /// `relation NAME`, `routine NAME`, `type NAME` …: as recorded in `projections.versions.objects`.
        var entry: String
        /// As ALTER names it, in the schema where it was found.
        var target: String
        var isRoutine: Bool
        /// A routine that runs with its owner's rights.
        var isDefiner: Bool
    }

    private let connection: PostgresConnection

    package init(connection: PostgresConnection) {
        self.connection = connection
    }

    /// What there is in `schema`, as recorded in the catalog.
    package func entries(in schema: String) throws(PostgresError) -> [String] {
        Array(Set(try objects(in: schema, only: nil).map(\.entry))).sorted()
    }

    /// Extensions that were made in `schema`: they would move and go with the version.
    package func extensions(in schema: String) throws(PostgresError) -> [String] {
        let rows = try connection.query(
            """
            SELECT extname
            FROM pg_catalog.pg_extension
            WHERE extnamespace = (SELECT oid FROM pg_catalog.pg_namespace WHERE nspname = $1)
            ORDER BY extname
            """, parameters: [.text(schema)])
        return (0..<rows.rowCount).compactMap { rows.string($0, 0) }
    }

    /// Moves what `entries` name (nil: everything) to `target`; takes ACCESS EXCLUSIVE on each table. Functions then look
    /// for names in `target` first.
    package func move(from schema: String, to target: String, only entries: [String]?) throws(PostgresError) {
        let objects = try objects(in: schema, only: entries)
        guard !objects.isEmpty else { return }
        try connection.execute(objects.map { "ALTER \($0.target) SET SCHEMA \(target)" }.joined(separator: ";\n"))
        try pinRoutines(in: target, only: objects.map(\.entry))
    }

    /// Makes the functions that `entries` name (nil: all) look for names in their own schema first, and in that of
    /// temporary objects last: where a path doesn't name `pg_temp`, it is searched first for tables and types, and a
    /// caller's table would stand in for one of the pack's, with its owner's rights. A SECURITY DEFINER function does
    /// without `public` too, where others may make objects.
    package func pinRoutines(in schema: String, only entries: [String]?) throws(PostgresError) {
        let routines = try objects(in: schema, only: entries).filter(\.isRoutine)
        guard !routines.isEmpty else { return }
        try connection.execute(
            routines.map { routine in
                let path = routine.isDefiner ? "\(schema), pg_catalog" : Self.searchPath(schema)
                return "ALTER \(routine.target) SET search_path = \(path), pg_temp"
            }.joined(separator: ";\n"))
    }

    /// Whether functions of some version look for temporary objects first.
    var hasUnpinnedRoutines: Bool {
        get throws(PostgresError) {
            let rows = try connection.execute(
                """
                SELECT FROM pg_catalog.pg_proc
                JOIN pg_catalog.pg_namespace AS space ON space.oid = pronamespace
                WHERE space.nspname IN (SELECT schema_name FROM projections.versions)
                    AND NOT EXISTS (
                        SELECT FROM unnest(proconfig) AS setting
                        WHERE setting LIKE 'search_path=%' AND setting LIKE '%, pg_temp')
                LIMIT 1
                """)
            return rows.rowCount > 0
        }
    }

    /// Where the SQL of a version in `schema` looks for names.
    package static func searchPath(_ schema: String) -> String { "\(schema), pg_catalog, public" }

    /// Views outside of `schema` that read from it, and so would go with it: they are someone else's.
    package func dependentViews(on schema: String) throws(PostgresError) -> [String] {
        let rows = try connection.query(
            """
            SELECT DISTINCT view.oid::regclass::text
            FROM pg_catalog.pg_depend AS link
            JOIN pg_catalog.pg_class AS source ON link.refclassid = 'pg_class'::regclass AND source.oid = link.refobjid
            JOIN pg_catalog.pg_rewrite AS rule ON link.classid = 'pg_rewrite'::regclass AND rule.oid = link.objid
            JOIN pg_catalog.pg_class AS view ON view.oid = rule.ev_class
            JOIN pg_catalog.pg_namespace AS space ON space.oid = source.relnamespace
            WHERE space.nspname = $1 AND view.relnamespace <> source.relnamespace
            ORDER BY 1
            """, parameters: [.text(schema)])
        return (0..<rows.rowCount).compactMap { rows.string($0, 0) }
    }

    /// Functions first: their arguments are named by types that move later.
    private func objects(in schema: String, only entries: [String]?) throws(PostgresError) -> [Object] {
        // Without the schema in the path, so that each name is written out whole.
        try connection.execute("SET LOCAL search_path = pg_catalog")
        let rows = try connection.query(Self.listing, parameters: [.text(schema)])
        try connection.execute("SET LOCAL search_path TO DEFAULT")
        let wanted = entries.map { Set($0) }
        return (0..<rows.rowCount).compactMap { row in
            let kind = rows.string(row, 0) ?? ""
            let entry = "\(kind) \(rows.string(row, 1) ?? "")"
            guard wanted?.contains(entry) ?? true else { return nil }
            return Object(
                entry: entry, target: rows.string(row, 2) ?? "", isRoutine: kind == "routine",
                isDefiner: rows.bool(row, 3) ?? false)
        }
    }

    private static let listing = """
        WITH space AS (
            SELECT oid, nspname FROM pg_namespace WHERE nspname = $1
        )
        SELECT kind, name, target, coalesce((SELECT prosecdef FROM pg_proc WHERE pg_proc.oid = object.oid AND kind = 'routine'), false)
        FROM (
            SELECT 1 AS rank, 'routine' AS kind, proname::text AS name,
                format('ROUTINE %I.%I(%s)', nspname, proname, pg_get_function_identity_arguments(p.oid)) AS target,
                p.oid, 'pg_proc'::regclass AS class
            FROM pg_proc AS p JOIN space ON space.oid = pronamespace
            UNION ALL
            SELECT 2, 'relation', relname::text,
                format(
                    '%s %I.%I',
                    CASE relkind
                        WHEN 'v' THEN 'VIEW' WHEN 'm' THEN 'MATERIALIZED VIEW' WHEN 'S' THEN 'SEQUENCE'
                        WHEN 'f' THEN 'FOREIGN TABLE' ELSE 'TABLE'
                    END,
                    nspname, relname),
                c.oid, 'pg_class'::regclass
            FROM pg_class AS c JOIN space ON space.oid = relnamespace
            WHERE relkind IN ('r', 'p', 'v', 'm', 'f', 'S')
                AND NOT (
                    relkind = 'S' AND EXISTS (
                        SELECT FROM pg_depend
                        WHERE classid = 'pg_class'::regclass AND objid = c.oid AND deptype IN ('a', 'i')))
            UNION ALL
            SELECT 3, 'type', typname::text, format('TYPE %I.%I', nspname, typname), t.oid, 'pg_type'::regclass
            FROM pg_type AS t
            JOIN space ON space.oid = typnamespace
            LEFT JOIN pg_class AS c ON c.oid = typrelid
            WHERE typtype IN ('e', 'd', 'r') OR (typtype = 'c' AND c.relkind = 'c')
            UNION ALL
            SELECT 4, 'configuration', cfgname::text, format('TEXT SEARCH CONFIGURATION %I.%I', nspname, cfgname),
                f.oid, 'pg_ts_config'::regclass
            FROM pg_ts_config AS f JOIN space ON space.oid = cfgnamespace
        ) AS object
        WHERE NOT EXISTS (
            SELECT FROM pg_depend
            WHERE classid = class AND objid = object.oid AND deptype IN ('e', 'i') AND kind IN ('routine', 'type')
        )
        ORDER BY rank, name, target
        """
}
