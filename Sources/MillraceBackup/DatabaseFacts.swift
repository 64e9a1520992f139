import MillracePostgres

/// What a manifest says of a database. Blocks.
struct DatabaseFacts {
    let connection: PostgresConnection

    /// To be called in a transaction with one snapshot; the server is asked who it is before.
    func read(_ server: ServerIdentity) throws(PostgresError) -> BackupManifest.Database {
        let row = try connection.execute(
            """
            SELECT
                current_database(), current_setting('server_version_num'), pg_database_size(current_database()),
                CASE WHEN pg_is_in_recovery() THEN pg_last_wal_replay_lsn() ELSE pg_current_wal_lsn() END,
                (SELECT max(version) FROM public.millrace_migrations)
            """)
        return BackupManifest.Database(
            name: row.string(0, 0) ?? "", serverVersion: row.count(0, 1), systemIdentifier: server.systemIdentifier,
            timeline: server.timeline, databaseId: server.databaseID, bytes: row.count(0, 2),
            migration: row.count(0, 4), packs: try packs(), ledger: try ledger(), spools: try spools(),
            roles: try roles(), position: row.string(0, 3) ?? "")
    }

    private func packs() throws(PostgresError) -> [BackupManifest.Pack] {
        let rows = try connection.execute(
            "SELECT pack, version FROM projections.versions WHERE state = 'live' ORDER BY pack")
        return (0..<rows.rowCount).map { .init(name: rows.string($0, 0) ?? "", version: rows.count($0, 1)) }
    }

    func ledger() throws(PostgresError) -> BackupManifest.Ledger {
        let sums = try connection.execute(
            """
            SELECT
                COALESCE(sum(batches), 0)::bigint, COALESCE(sum(rows), 0)::bigint,
                COALESCE(sum(duplicates), 0)::bigint, COALESCE(sum(dead), 0)::bigint,
                COALESCE(sum(refused), 0)::bigint
            FROM public.ingest_batches
            """, timeout: .seconds(600))
        return BackupManifest.Ledger(
            batches: sums.count(0, 0), rows: sums.count(0, 1), duplicates: sums.count(0, 2), dead: sums.count(0, 3),
            refused: sums.count(0, 4))
    }

    private func spools() throws(PostgresError) -> [BackupManifest.KnownSpool] {
        let rows = try connection.execute(
            """
            SELECT
                spool_id, host,
                COALESCE((SELECT max(last_seq) FROM public.ingest_batches AS b WHERE b.spool_id = s.spool_id), 0)
            FROM public.ingest_spools AS s
            ORDER BY 1
            """, timeout: .seconds(600))
        return (0..<rows.rowCount).map { row in
            .init(spoolId: rows.string(row, 0) ?? "", host: rows.string(row, 1) ?? "", lastSequence: rows.count(row, 2))
        }
    }

    /// Superusers that initdb made are of every cluster, and not named.
    private func roles() throws(PostgresError) -> [BackupManifest.Role] {
        let rows = try connection.execute(
            """
            WITH named AS (
                SELECT refobjid AS oid, bool_or(deptype = 'o') AS is_owner
                FROM pg_catalog.pg_shdepend
                WHERE refclassid = 'pg_catalog.pg_authid'::regclass
                    AND dbid = (SELECT oid FROM pg_catalog.pg_database WHERE datname = current_database())
                GROUP BY refobjid
            )
            SELECT
                rolname, rolcanlogin, is_owner,
                ARRAY(
                    SELECT parent.rolname::text
                    FROM pg_catalog.pg_auth_members
                    JOIN pg_catalog.pg_roles AS parent ON parent.oid = roleid
                    JOIN named AS other ON other.oid = roleid
                    WHERE member = role.oid
                    ORDER BY 1
                )::text,
                COALESCE(array_to_string(rolconfig, E'\\n'), '')
            FROM named
            JOIN pg_catalog.pg_roles AS role USING (oid)
            WHERE NOT starts_with(rolname::text, 'pg_')
            ORDER BY rolname
            """)
        return (0..<rows.rowCount).map { row in
            let parents = (rows.string(row, 3) ?? "{}").dropFirst().dropLast().split(separator: ",")
            let settings = (rows.string(row, 4) ?? "").split(separator: "\n")
            return BackupManifest.Role(
                name: rows.string(row, 0) ?? "", isLogin: rows.bool(row, 1) ?? false,
                isOwner: rows.bool(row, 2) ?? false,
                memberOf: parents.map { $0.trimmingQuotes }, settings: settings.map { String($0) })
        }
    }
}

extension Substring {
    /// An array's element as PostgreSQL writes it.
    fileprivate var trimmingQuotes: String {
        guard hasPrefix("\""), hasSuffix("\""), count > 1 else { return String(self) }
        return String(dropFirst().dropLast()).replacing("\\\"", with: "\"").replacing("\\\\", with: "\\")
    }
}
