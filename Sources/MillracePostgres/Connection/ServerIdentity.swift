/// Which server, which life of it, and which database answered. When any part has changed, what was committed but not
/// flushed may be gone, or all of it, so the ledger is to be read again.
package struct ServerIdentity: Sendable, Equatable {
    /// Drawn by initdb; nil when the role may not read it.
    package var systemIdentifier: String?
    /// Rises with each promotion of a standby; nil when the role may not read it.
    package var timeline: Int?
    /// When the postmaster started: seconds since 1970 with microseconds, as the server writes them.
    package var startTime: String
    /// The database's OID on this server: another database may have got its name.
    package var databaseOID: Int?
    /// Drawn by the migration that made `millrace_database`, and so carried along by a dump; nil before.
    package var databaseID: String?
}

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
        if try hasRelation("public.millrace_database", timeout: timeout) {
            identity.databaseID = try execute("SELECT id FROM public.millrace_database", timeout: timeout).string(0, 0)
        }
        return identity
    }
}
