extension PostgresConnection {
    /// Asks the server who it is. Blocks up to `timeout`.
    ///
    /// `pg_control_system` and `pg_control_checkpoint` are open to everyone unless an operator revoked them; then the
    /// start time alone tells. Not to be called in a transaction that must live on: the refusal would fail it.
    package func serverIdentity(timeout: Duration = .seconds(10)) throws(PostgresError) -> ServerIdentity {
        let start = """
            EXTRACT(EPOCH FROM pg_postmaster_start_time())::text,
            (SELECT oid FROM pg_catalog.pg_database WHERE datname = current_database())
            """
        var identity: ServerIdentity
        do throws(PostgresError) {
            let result = try execute(
                """
                SELECT \(start), system_identifier::text, timeline_id
                FROM pg_control_system(), pg_control_checkpoint()
                """, timeout: timeout)
            identity = ServerIdentity(
                systemIdentifier: result.string(0, 2), timeline: result.int(0, 3), startTime: result.string(0, 0) ?? "",
                databaseOID: result.int(0, 1))
        } catch {
            guard error.sqlState == .insufficientPrivilege else { throw error }
            let result = try execute("SELECT \(start)", timeout: timeout)
            identity = ServerIdentity(startTime: result.string(0, 0) ?? "", databaseOID: result.int(0, 1))
        }
        let known = try execute("SELECT to_regclass('public.millrace_database') IS NOT NULL", timeout: timeout)
        if known.bool(0, 0) == true {
            identity.databaseID = try execute("SELECT id FROM public.millrace_database", timeout: timeout).string(0, 0)
        }
        return identity
    }
}
