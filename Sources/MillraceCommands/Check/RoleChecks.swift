internal import MillracePostgres

/// Looks who owns what, and whether what has rows of tenants keeps them apart.
struct RoleChecks {
    let connection: PostgresConnection

    func run() throws(PostgresError) -> [CheckResult] { [try roles(), try tenants()] }

    /// Nothing that stops the daemon.
    private func roles() throws(PostgresError) -> CheckResult {
        let answer = try connection.execute(
            """
            SELECT
                (
                    SELECT string_agg(name, ', ' ORDER BY place)
                    FROM unnest(ARRAY['millrace_owner', 'millrace_writer', 'millrace_reader', 'millrace_admin'])
                        WITH ORDINALITY AS wanted (name, place)
                    WHERE to_regrole(name) IS NULL
                ),
                (
                    SELECT pg_has_role(relowner, 'MEMBER')
                    FROM pg_catalog.pg_class
                    WHERE oid = to_regclass('public.audit_log')
                )
            """)
        var detail: [String] = []
        if let missing = answer.string(0, 0) { detail.append("there is no \(missing)") }
        if answer.bool(0, 1) == true { detail.append("this login may change the audit log and the keys") }
        return CheckResult(
            "roles", ok: true,
            detail: detail.isEmpty
                ? "this login changes neither keys nor the audit log"
                : detail.joined(separator: "; ")
                    + ". psql \"$SUPERUSER_URL\" --file sql/roles.sql makes roles that keep apart "
                    + "who migrates, writes and reads",
            fix: "")
    }

    private func tenants() throws(PostgresError) -> CheckResult {
        let open = try connection.execute(
            """
            SELECT relation.oid::regclass::text
            FROM pg_catalog.pg_class AS relation
            JOIN pg_catalog.pg_attribute ON attrelid = relation.oid AND attname = 'tenant_id' AND NOT attisdropped
            JOIN pg_catalog.pg_namespace AS space ON space.oid = relnamespace
            WHERE relkind IN ('r', 'p')
                AND (
                    nspname = 'projections'
                    OR starts_with(nspname::text, 'projections_')
                    OR relation.oid IN (
                        'public.analytics_events'::regclass, 'public.conversations'::regclass, 'public.outbox'::regclass,
                        'public.dead_letters'::regclass, 'public.event_ids'::regclass
                    )
                    OR EXISTS (
                        SELECT FROM pg_catalog.pg_inherits
                        WHERE inhrelid = relation.oid
                            AND inhparent IN ('public.analytics_events'::regclass, 'public.conversations'::regclass)
                    )
                )
                AND NOT (
                    relrowsecurity
                    AND EXISTS (SELECT FROM pg_catalog.pg_policy WHERE polrelid = relation.oid AND polname = 'millrace_tenant')
                )
            ORDER BY 1
            """)
        let names = (0..<open.rowCount).compactMap { open.string($0, 0) }
        let shown = names.prefix(5).joined(separator: ", ") + (names.count > 5 ? " and \(names.count - 5) more" : "")
        return CheckResult(
            "tenants", ok: names.isEmpty,
            detail: names.isEmpty ? "readers see the rows of one" : "\(shown): readers see the rows of all",
            fix: "Call public.protect_rows() as the tables' owner.")
    }
}
