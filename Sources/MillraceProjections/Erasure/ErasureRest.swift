internal import MillraceEvent
internal import MillracePostgres

/// Erases in the tables that are neither months nor packs': dead letters, the outbox, password hashes, statuses of
/// conversations, ids of events. Blocking; to do it again changes nothing.
struct ErasureRest {
    /// Letters in one transaction.
    private static let lettersAtOnce = 1000

    let connection: PostgresConnection
    let scope: ErasureScope
    let timeout: Duration

    /// Tables that may have dead rows since.
    static let tables = [
        "public.dead_letters", "public.outbox", "public.password_hashes", "public.conversation_statuses",
        "public.event_ids", "public.user_erasures", "projections.parked",
    ]

    private var tenants: [Int32] { Set(scope.users.map(\.tenant)).sorted() }

    /// Before anything else: what is in the outbox is an event soon.
    func eraseOutbox() throws -> Int {
        var count = 0
        for tenant in tenants {
            let statements = ErasureStatements(scope: scope, tenant: tenant)
            count += try ErasureTransaction.run(on: connection) { () throws(PostgresError) in
                let rows = try connection.execute(
                    """
                    SELECT stored.created_at::text, stored.id::text, stored.event_type, stored.user_id::text,
                        d.document::text
                    FROM public.outbox AS stored
                    CROSS JOIN LATERAL (SELECT \(PrintedSize.guarded("stored.payload")) AS document) AS d
                    WHERE \(statements.isConcerned(document: "d.document"))
                    FOR UPDATE OF stored
                    """, timeout: timeout)
                for row in 0..<rows.rowCount {
                    let isOwn = rows.string(row, 3).flatMap(UniqueID.init).flatMap { scope.user($0, of: tenant) } != nil
                    let id = rows.string(row, 1) ?? ""
                    let payload = rows.string(row, 4).map { Array($0.utf8) }
                    let left = payload.map {
                        scope.payload($0, type: rows.string(row, 2) ?? "", tenant: tenant, isOwn: isOwn) ?? $0
                    }
                    let newID = UniqueID(id).flatMap { scope.user($0, of: tenant) }.map { "\($0.pseudonym)" } ?? id
                    try connection.query(
                        """
                        UPDATE public.outbox
                        SET user_id = $1::uuid, payload = $2::jsonb, id = $3::uuid
                        WHERE created_at = $4::timestamptz AND id = $5::uuid AND tenant_id = \(tenant)
                        """,
                        parameters: [
                            isOwn ? nil : rows.string(row, 3).map { .text($0) },
                            .text(String(decoding: left ?? ErasureScope.mark, as: UTF8.self)), .text(newID),
                            rows.string(row, 0).map { .text($0) }, .text(id),
                        ], timeout: timeout)
                }
                return rows.rowCount
            }
        }
        return count
    }

    /// All but the outbox. Returns the letters.
    func run() throws -> Int {
        var letters = 0
        for tenant in tenants {
            letters += try eraseLetters(of: tenant)
            let statements = ErasureStatements(scope: scope, tenant: tenant)
            let users = scope.users.filter { $0.tenant == tenant }
            let names = users.flatMap { ["\($0.id)"] + ($0.external.map { [$0] } ?? []) }
            try ErasureTransaction.run(on: connection) { () throws(PostgresError) -> Void in
                try connection.query(
                    "DELETE FROM public.password_hashes WHERE tenant_id = \(tenant) AND user_id = ANY ($1::text[])",
                    parameters: [.array(names)], timeout: timeout)
                try connection.execute(
                    """
                    DELETE FROM public.user_erasures WHERE tenant_id = \(tenant) AND user_id = ANY (\(statements.ids));
                    UPDATE public.event_ids SET id = \(statements.renamed(uuid: "id"))
                    WHERE tenant_id = \(tenant) AND id = ANY (\(statements.ids));
                    UPDATE public.conversation_statuses
                    SET conversation_id = \(statements.renamed("conversation_id")),
                        save_id = \(statements.renamed(uuid: "save_id")), event_id = \(statements.renamed(uuid: "event_id"))
                    WHERE tenant_id = \(tenant) AND (
                        conversation_id ~* \(statements.pattern) OR save_id = ANY (\(statements.ids))
                        OR event_id = ANY (\(statements.ids))
                    );
                    UPDATE projections.parked
                    SET key = '', message = 'erased', event_id = \(statements.renamed(uuid: "event_id"))
                    WHERE tenant_id = \(tenant) AND (
                        key ~* \(statements.pattern) OR message ~* \(statements.pattern) OR event_id = ANY (\(statements.ids))
                    )
                    """, timeout: timeout)
            }
        }
        return letters
    }

    /// Lines of the users are purged, and the account of letters stays right; in others' only the ids go.
    private func eraseLetters(of tenant: Int32) throws -> Int {
        let statements = ErasureStatements(scope: scope, tenant: tenant)
        let externals = scope.users.filter { $0.tenant == tenant }.compactMap(\.external)
            .map { "strpos(line, \(ErasureStatements.quoted("\"\($0)\""))) > 0" }
        // A refused line's tenant may not be known: then it is 0.
        let isFound = """
            tenant_id IN (\(tenant), 0) AND (
                \((["line ~* \(statements.pattern)", "message ~* \(statements.pattern)", "peer ~* \(statements.pattern)"]
                    + externals).joined(separator: " OR "))
            )
            """
        var count = 0
        while true {
            let done = try ErasureTransaction.run(on: connection) { () throws(PostgresError) in
                try connection.execute(
                    """
                    UPDATE public.dead_letters
                    SET line = NULL,
                        message = 'erased',
                        peer = CASE WHEN peer ~* \(statements.pattern) THEN 'erased' ELSE peer END,
                        state = CASE state WHEN 'open' THEN 'purged' ELSE state END,
                        resolved_at = coalesce(resolved_at, clock_timestamp())
                    WHERE id = ANY (ARRAY(
                        SELECT id FROM public.dead_letters WHERE \(isFound) LIMIT \(Self.lettersAtOnce)
                    ))
                    """, timeout: timeout
                ).affectedRows
            }
            count += done
            if done == 0 { return count }
        }
    }

    func count() throws(PostgresError) -> ErasureCounts {
        var counts = ErasureCounts()
        for tenant in tenants {
            let statements = ErasureStatements(scope: scope, tenant: tenant)
            counts.deadLetters += try connection.execute(
                "SELECT count(*) FROM public.dead_letters WHERE tenant_id IN (\(tenant), 0) AND line ~* \(statements.pattern)",
                timeout: timeout
            ).count(0, 0)
            counts.outbox += try connection.execute(
                """
                SELECT count(*)
                FROM public.outbox AS stored
                CROSS JOIN LATERAL (SELECT \(PrintedSize.guarded("stored.payload")) AS document) AS d
                WHERE \(statements.isConcerned(document: "d.document"))
                """, timeout: timeout
            ).count(0, 0)
        }
        return counts
    }
}
