import MillracePostgres

/// What an administrator granted on a pack's tables, views and functions, so that the version which takes their place
/// has it too. Blocks; in a transaction.
struct VersionGrants {
    private struct Grant {
        /// `TABLE` or `FUNCTION`.
        var kind: String
        /// Of the table, quoted; nil: all of it.
        var column: String?
        /// With its schema and arguments, quoted.
        var name: String
        var privilege: String
        /// Quoted, or PUBLIC.
        var grantee: String
        var isGrantable: Bool
    }

    private let connection: PostgresConnection
    private let grants: [Grant]

    /// Those on the live objects whose names start with the pack's.
    init(ofLive pack: String, connection: PostgresConnection) throws(PostgresError) {
        self.connection = connection
        let found = try connection.execute(
            """
            SELECT kind, name, privilege_type, column_name,
                CASE grantee WHEN 0 THEN 'PUBLIC' ELSE quote_ident(pg_get_userbyid(grantee)) END, is_grantable
            FROM (
                SELECT 'TABLE' AS kind, class.oid::regclass::text AS name, NULL AS column_name, relowner AS owner,
                    grant_of.*
                FROM pg_catalog.pg_class AS class, pg_catalog.aclexplode(relacl) AS grant_of
                WHERE relnamespace = '\(PackVersion.liveSchema)'::regnamespace AND relkind IN ('r', 'v')
                    AND starts_with(relname, '\(pack)_')
                UNION ALL
                SELECT 'TABLE', class.oid::regclass::text, quote_ident(attname), relowner, grant_of.*
                FROM pg_catalog.pg_class AS class
                JOIN pg_catalog.pg_attribute ON attrelid = class.oid AND NOT attisdropped,
                    pg_catalog.aclexplode(attacl) AS grant_of
                WHERE relnamespace = '\(PackVersion.liveSchema)'::regnamespace AND relkind IN ('r', 'v')
                    AND starts_with(relname, '\(pack)_')
                UNION ALL
                SELECT 'FUNCTION', proc.oid::regprocedure::text, NULL, proowner, grant_of.*
                FROM pg_catalog.pg_proc AS proc, pg_catalog.aclexplode(proacl) AS grant_of
                WHERE pronamespace = '\(PackVersion.liveSchema)'::regnamespace AND starts_with(proname, '\(pack)_')
            ) AS grants
            WHERE grantee <> owner
            """)
        grants = (0..<found.rowCount).map { row in
            Grant(
                kind: found.string(row, 0) ?? "", column: found.string(row, 3), name: found.string(row, 1) ?? "",
                privilege: found.string(row, 2) ?? "", grantee: found.string(row, 4) ?? "",
                isGrantable: found.bool(row, 5) ?? false)
        }
    }

    /// Grants the same on the objects of the same names; one that the new version does not have is left out.
    func apply() throws(PostgresError) {
        for grant in grants {
            let look = grant.kind == "TABLE" ? "to_regclass" : "to_regprocedure"
            let isThere = try connection.query(
                """
                SELECT \(look)($1) IS NOT NULL
                    AND ($2::text IS NULL OR EXISTS (
                        SELECT FROM pg_catalog.pg_attribute
                        WHERE attrelid = to_regclass($1) AND NOT attisdropped AND quote_ident(attname) = $2))
                """, parameters: [.text(grant.name), grant.column.map { .text($0) }])
            guard isThere.bool(0, 0) == true else { continue }
            let columns = grant.column.map { " (\($0))" } ?? ""
            try connection.execute(
                "GRANT \(grant.privilege)\(columns) ON \(grant.kind) \(grant.name) TO \(grant.grantee)"
                    + (grant.isGrantable ? " WITH GRANT OPTION" : ""))
        }
    }
}
