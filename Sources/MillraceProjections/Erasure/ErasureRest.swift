internal import MillraceEvent
internal import MillracePostgres

/// Erases in the tables that are neither months nor packs': dead letters, the outbox, password hashes, statuses of
/// conversations, ids of events. Blocking; to do it again changes nothing.
struct ErasureRest {
    /// Letters that are looked at in one transaction, of 1 MiB each at most.
    private static let lettersAtOnce = 100

    let connection: PostgresConnection
    let scope: ErasureScope
    var tally = ErasureTally()
    let timeout: Duration

    /// Tables that may have dead rows since.
    static let tables = [
        "public.dead_letters", "public.outbox", "public.password_hashes", "public.conversation_statuses",
        "public.event_ids", "public.user_erasures", "projections.parked",
    ]

    private var tenants: [Int32] { Set(scope.users.map(\.tenant)).sorted() }

    /// Whether there is anything in the outbox.
    func hasOutbox() throws(PostgresError) -> Bool {
        try connection.execute("SELECT EXISTS (SELECT FROM public.outbox)").bool(0, 0) ?? false
    }

    /// Before anything else: what is in the outbox is an event soon. Whoever has read a row before may still hand it over as
    /// it was; by then the row is gone. Returns the rows' ids, as they are now.
    func eraseOutbox() throws -> [String] {
        var ids: [String] = []
        for tenant in tenants {
            let statements = ErasureStatements(scope: scope, tenant: tenant)
            ids += try ErasureTransaction.run(on: connection) { () throws(PostgresError) in
                var ids: [String] = []
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
                    var type = Array((rows.string(row, 2) ?? "").utf8)
                    _ = scope.replaceIDs(in: &type, of: tenant)
                    let newID = UniqueID(id).flatMap { scope.user($0, of: tenant) }.map { "\($0.pseudonym)" } ?? id
                    try connection.query(
                        """
                        UPDATE public.outbox
                        SET user_id = $1::uuid, payload = $2::jsonb, id = $3::uuid, event_type = $6
                        WHERE created_at = $4::timestamptz AND id = $5::uuid AND tenant_id = \(tenant)
                        """,
                        parameters: [
                            isOwn ? nil : rows.string(row, 3).map { .text($0) },
                            .text(String(decoding: left ?? ErasureScope.mark, as: UTF8.self)), .text(newID),
                            rows.string(row, 0).map { .text($0) }, .text(id),
                            .text(String(decoding: type, as: UTF8.self)),
                        ], timeout: timeout)
                    ids.append(newID)
                }
                var counts = ErasureCounts()
                counts.outbox = ids.count
                try tally.add(counts, on: connection)
                return ids
            }
        }
        return ids
    }

    /// Whether any of these rows is still in the outbox.
    func isAnyInOutbox(_ ids: [String]) throws(PostgresError) -> Bool {
        try connection.query(
            "SELECT EXISTS (SELECT FROM public.outbox WHERE id = ANY ($1::uuid[]))", parameters: [.array(ids)]
        ).bool(0, 0) ?? false
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
                try renameEventIDs(statements)
                try connection.query(
                    "DELETE FROM public.password_hashes WHERE tenant_id = \(tenant) AND user_id = ANY ($1::text[])",
                    parameters: [.array(names)], timeout: timeout)
                try connection.execute(
                    """
                    DELETE FROM public.user_erasures WHERE tenant_id = \(tenant) AND user_id = ANY (\(statements.ids));
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

    /// Where the ids are spread over workers of Citus by themselves, another id is another row.
    private func renameEventIDs(_ statements: ErasureStatements) throws(PostgresError) {
        let isOfUsers = "tenant_id = \(statements.tenant) AND id = ANY (\(statements.ids))"
        let renamed = statements.renamed(uuid: "id")
        try connection.execute(
            try connection.lookForCitus()
                ? """
                WITH gone AS (
                    DELETE FROM public.event_ids
                    WHERE \(isOfUsers)
                    RETURNING id, tenant_id, created_at, seen_at
                ), renamed AS (
                    INSERT INTO public.event_ids (id, tenant_id, created_at, seen_at)
                    SELECT \(renamed), tenant_id, created_at, seen_at
                    FROM gone
                    ON CONFLICT (id, tenant_id) DO NOTHING
                    RETURNING id
                )
                SELECT count(*)
                FROM renamed
                """
                : "UPDATE public.event_ids SET id = \(renamed) WHERE \(isOfUsers)",
            timeout: timeout)
    }

    // MARK: - Dead letters

    /// Lines of the users, and about rows that go with them, are purged; the account of letters stays right.
    private func eraseLetters(of tenant: Int32) throws -> Int {
        var count = 0
        var last: String?
        repeat {
            let seen = last
            let (erased, next) = try ErasureTransaction.run(on: connection) {
                () throws(PostgresError) -> (Int, String?) in
                let letters = try letters(of: tenant, after: seen)
                guard !letters.concerned.isEmpty else { return (0, letters.last) }
                var counts = ErasureCounts()
                counts.deadLetters = try connection.query(
                    """
                    UPDATE public.dead_letters
                    SET line = NULL,
                        message = 'erased',
                        peer = CASE WHEN peer ~* \(pattern(tenant)) THEN 'erased' ELSE peer END,
                        state = CASE state WHEN 'open' THEN 'purged' ELSE state END,
                        resolved_at = coalesce(resolved_at, clock_timestamp())
                    WHERE id = ANY ($1::uuid[])
                    """, parameters: [.array(letters.concerned)], timeout: timeout
                ).affectedRows
                try tally.add(counts, on: connection)
                return (counts.deadLetters, letters.last)
            }
            count += erased
            last = next
        } while last != nil
        return count
    }

    /// Looks at some letters in order of their ids. `last`: the last one's; nil: there are no more.
    private func letters(
        of tenant: Int32, after last: String?
    ) throws(PostgresError) -> (concerned: [String], last: String?) {
        let rows = try connection.query(
            """
            SELECT id::text, line, coalesce(message ~* \(pattern(tenant)) OR peer ~* \(pattern(tenant)), false), message
            FROM public.dead_letters
            WHERE tenant_id = \(tenant) AND id > $1::uuid AND message <> 'erased' AND (\(mayConcern(tenant)))
            ORDER BY id
            LIMIT \(Self.lettersAtOnce)
            """, parameters: [.text(last ?? "00000000-0000-0000-0000-000000000000")], timeout: timeout)
        var concerned: [String] = []
        for row in 0..<rows.rowCount {
            let texts = [rows.string(row, 1), rows.string(row, 3)].compactMap { $0 }
            guard rows.bool(row, 2) == true || texts.contains(where: { scope.concerns(Array($0.utf8), tenant: tenant) })
            else { continue }
            concerned.append(rows.string(row, 0) ?? "")
        }
        return (concerned, rows.rowCount < Self.lettersAtOnce ? nil : rows.string(rows.rowCount - 1, 0))
    }

    private func pattern(_ tenant: Int32) -> String { ErasureStatements(scope: scope, tenant: tenant).pattern }

    /// A condition for letters that are worth a look: with an id, of a type of which there are rows that go, with an escape
    /// or a seal behind which anything may be.
    private func mayConcern(_ tenant: Int32) -> String {
        var conditions = ["line", "message", "peer"].map { "\($0) ~* \(pattern(tenant))" }
        conditions.append("strpos(line, '\\') > 0 OR starts_with(line, 'mrl1.')")
        let externals = scope.users.filter { $0.tenant == tenant }.compactMap(\.external)
        let types = scope.folds.flatMap(\.types).compactMap { type -> String? in
            switch type {
            case .any: ""
            case .prefix(let text), .exactly(let text): text
            }
        }
        for text in Set(externals + types).sorted() {
            conditions.append("strpos(concat(line, message), \(ErasureStatements.quoted(text))) > 0")
        }
        return conditions.joined(separator: " OR ")
    }

    /// How many would be purged.
    private func countLetters(of tenant: Int32) throws(PostgresError) -> Int {
        var count = 0
        var last: String?
        repeat {
            let letters = try letters(of: tenant, after: last)
            count += letters.concerned.count
            last = letters.last
        } while last != nil
        return count
    }

    // MARK: - A count

    func count() throws(PostgresError) -> ErasureCounts {
        var counts = ErasureCounts()
        for tenant in tenants {
            let statements = ErasureStatements(scope: scope, tenant: tenant)
            counts.deadLetters += try countLetters(of: tenant)
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
