/// Row-level security, the rights of views, and what the roles of sql/roles.sql may: of what was made since the last time.
/// In or out of a transaction; blocks.
package enum RowProtection {
    /// Does nothing before the migration that knows how.
    package static func complete(on connection: PostgresConnection) throws(PostgresError) {
        guard try isKnown(on: connection) else { return }
        try completeDistributed(nil, on: connection)
        try connection.execute("SELECT public.protect_rows()", timeout: .seconds(60))
    }

    /// The same of one relation, with its schema: nothing else is locked. In a transaction.
    static func complete(of relation: String, on connection: PostgresConnection) throws(PostgresError) {
        guard try isKnown(on: connection) else { return }
        try completeDistributed(relation, on: connection)
        try connection.query("SELECT set_config('millrace.protected', $1, true)", parameters: [.text(relation)])
        try connection.execute("SELECT public.protect_rows()", timeout: .seconds(60))
        try connection.execute("SET LOCAL millrace.protected = ''")
    }

    /// Gives tables on workers of Citus the policy of tenants, which there takes no subquery; `protect_rows` leaves it as it is.
    private static func completeDistributed(
        _ relation: String?, on connection: PostgresConnection
    ) throws(PostgresError) {
        guard try connection.lookForCitus() else { return }
        let lacking = try connection.query(
            """
            SELECT format(
                'CREATE POLICY millrace_tenant ON %s USING (tenant_id = public.millrace_tenant())', own.logicalrelid)
            FROM pg_catalog.pg_dist_partition AS own
            JOIN pg_catalog.pg_class AS class ON class.oid = own.logicalrelid
            JOIN pg_catalog.pg_attribute AS tenant
                ON tenant.attrelid = class.oid AND tenant.attname = 'tenant_id' AND NOT tenant.attisdropped
            WHERE class.relnamespace = 'public'::regnamespace
                AND pg_has_role(class.relowner, 'USAGE')
                AND own.logicalrelid = COALESCE(to_regclass($1), own.logicalrelid)
                AND NOT EXISTS (
                    SELECT
                    FROM pg_catalog.pg_policy
                    WHERE polrelid = own.logicalrelid AND polname = 'millrace_tenant'
                )
            ORDER BY own.logicalrelid
            """, parameters: [relation.map { .text($0) }])
        for command in lacking.texts { try connection.execute(command[0], timeout: .seconds(60)) }
    }

    private static func isKnown(on connection: PostgresConnection) throws(PostgresError) -> Bool {
        let look = try connection.execute("SELECT to_regprocedure('public.protect_rows()') IS NOT NULL")
        return look.bool(0, 0) == true
    }
}
