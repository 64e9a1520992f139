package import MillraceJSON

/// `public.audit_log`: who changed what. Blocks.
package enum AuditLog {
    /// Adds a row, in the transaction of the act: `connection` must be in it. Where the table is not there yet, since its
    /// migration is to come, nothing is added.
    ///
    /// - Parameters:
    ///   - object: what was acted on: a key's id, a migration's name, a table.
    ///   - before: what it was; neither a secret, nor its hash, nor what events hold. Likewise `after`.
    package static func record(
        _ action: AuditAction, _ object: String, before: JSONValue? = nil, after: JSONValue? = nil,
        by actor: AuditActor = .process, on connection: PostgresConnection
    ) throws(PostgresError) {
        precondition(connection.transactionStatus == .inTransaction, "an act and its row are one transaction")
        guard try isThere(connection) else { return }
        try connection.query(
            """
            INSERT INTO public.audit_log (actor, actor_kind, origin, action, object, before, after)
            VALUES ($1, $2, $3, $4, $5, $6::jsonb, $7::jsonb)
            """,
            parameters: [
                .text(actor.name), .text(actor.kind.rawValue), .text(actor.origin), .text(action.rawValue),
                .text(object), before.map(Self.parameter), after.map(Self.parameter),
            ])
    }

    /// Whether the schema has the table.
    package static func isThere(_ connection: PostgresConnection) throws(PostgresError) -> Bool {
        try connection.hasRelation("public.audit_log")
    }

    /// Deletes rows that are older than `age`, which is 30 days at least; returns how many. In a transaction of its own.
    package static func purge(
        olderThan age: Duration, on connection: PostgresConnection, timeout: Duration
    ) throws(PostgresError) -> Int {
        guard try isThere(connection) else { return 0 }
        return try connection.query(
            "SELECT public.purge_audit_log(make_interval(secs => $1::double precision))",
            parameters: [.integer(age.components.seconds)], timeout: timeout
        ).count(0, 0)
    }

    private static func parameter(_ value: JSONValue) -> PostgresParameter {
        var json = JSONWriter()
        value.write(to: &json)
        return .text(String(decoding: json.bytes, as: UTF8.self))
    }
}
