internal import MillraceEvent
internal import MillraceJSON
package import MillracePostgres

/// `public.erasures` and what belongs to it: who is to be erased, how far that is, and which spools have still to do their
/// part. Blocks.
package struct ErasureQueue {
    /// Users in one run, which goes once through all months.
    static let usersAtOnce = 100

    let connection: PostgresConnection

    package init(on connection: PostgresConnection) {
        self.connection = connection
    }

    /// Whether the schema has the tables, as of 0033.
    package var isThere: Bool {
        get throws(PostgresError) {
            try connection.execute(
                """
                SELECT EXISTS (
                    SELECT FROM pg_catalog.pg_attribute WHERE attrelid = to_regclass('public.erasures') AND attname = 'pass_at'
                )
                """
            ).bool(0, 0) ?? false
        }
    }

    // MARK: - Queueing

    /// Queues an erasure, with its row of the audit log, which does not name the user. An open one of the same user is as
    /// good; one that is under way goes through all again, for what it has behind it may have come again. Returns its id.
    /// `pack`: which one alone knows the user by that name; nil: all.
    package func add(
        _ user: String, tenant: Int32, pack: String? = nil, source: Erasure.Source, by actor: AuditActor = .process
    ) throws(PostgresError) -> String {
        let id = ExternalUserID.id(of: user, tenant: tenant)
        let external = UniqueID(user) == nil ? user : nil
        return try connection.transaction { () throws(PostgresError) in
            try connection.execute("LOCK TABLE public.erasures IN SHARE ROW EXCLUSIVE MODE")
            let open = try connection.query(
                """
                SELECT id, state
                FROM public.erasures
                WHERE state <> 'done' AND (pack IS NULL OR pack = $4) AND tenant_id = $1::integer
                    AND (user_id = $2::uuid OR external_id = $3)
                    AND (external_id IS NOT DISTINCT FROM $3 OR $3 IS NULL)
                LIMIT 1
                """,
                parameters: [
                    .integer(tenant), .text("\(id)"), external.map { .text($0) }, pack.map { .text($0) },
                ])
            let erasure: String
            if let known = open.texts.first {
                guard known[1] != "queued" else { return known[0] }
                erasure = known[0]
                try begin(again: erasure)
            } else {
                erasure =
                    try connection.query(
                        """
                        INSERT INTO public.erasures (tenant_id, user_id, external_id, source, pack)
                        VALUES ($1::integer, $2::uuid, $3, $4, $5)
                        RETURNING id
                        """,
                        parameters: [
                            .integer(tenant), .text("\(id)"), external.map { .text($0) }, .text(source.rawValue),
                            pack.map { .text($0) },
                        ]
                    ).string(0, 0) ?? ""
            }
            try AuditLog.record(
                .userEraseRequest, erasure,
                after: ["tenant": .integer(Int(tenant)), "source": .string(source.rawValue)],
                by: actor, on: connection)
            return erasure
        }
    }

    private func begin(again erasure: String) throws(PostgresError) {
        try connection.query(
            "UPDATE public.erasures SET state = 'running', leaves_done = '{}' WHERE id = $1::uuid",
            parameters: [.text(erasure)])
        try connection.query(
            """
            INSERT INTO public.erasure_spools AS asked (erasure_id, spool_id)
            SELECT $1::uuid, spool_id
            FROM public.daemons
            ON CONFLICT (erasure_id, spool_id) DO UPDATE
            SET state = 'asked', position = NULL, asked_at = now()
            """, parameters: [.text(erasure)])
    }

    /// Puts what packs' triggers queued elsewhere (`user_erasures`) among the others.
    func adoptDeletions() throws(PostgresError) {
        try connection.transaction { () throws(PostgresError) in
            try connection.execute(
                """
                WITH deleted AS (
                    DELETE FROM public.user_erasures RETURNING tenant_id, user_id
                )
                INSERT INTO public.erasures (tenant_id, user_id, source)
                SELECT DISTINCT tenant_id, user_id, 'trigger'
                FROM deleted
                WHERE NOT EXISTS (
                    SELECT
                    FROM public.erasures AS known
                    WHERE known.state = 'queued' AND known.tenant_id = deleted.tenant_id AND known.user_id = deleted.user_id
                )
                """)
        }
    }

    // MARK: - States

    /// The salt of the hashes.
    package func salt() throws(PostgresError) -> [UInt8] {
        let hex = try connection.execute("SELECT encode(salt, 'hex') FROM public.erasure_salt").string(0, 0) ?? ""
        return stride(from: 0, to: hex.utf8.count - 1, by: 2).compactMap { offset in
            let start = hex.index(hex.startIndex, offsetBy: offset)
            return UInt8(hex[start..<hex.index(start, offsetBy: 2)], radix: 16)
        }
    }

    /// Takes up what is queued: from now on those run. Returns all that have something to do in the tables.
    func takeUp(salt: [UInt8]) throws(PostgresError) -> [Erasure] {
        try connection.transaction { () throws(PostgresError) in
            let queued = try connection.execute(
                """
                SELECT id, tenant_id, user_id, external_id
                FROM public.erasures
                WHERE state = 'queued'
                ORDER BY requested_at, id
                LIMIT \(Self.usersAtOnce)
                FOR UPDATE SKIP LOCKED
                """)
            for row in 0..<queued.rowCount {
                let tenant = Int32(truncatingIfNeeded: queued.count(row, 1))
                let external = queued.string(row, 3)
                guard
                    let id = queued.string(row, 2).flatMap(UniqueID.init)
                        ?? external.map({ ExternalUserID.id(of: $0, tenant: tenant) })
                else { continue }
                let user = ErasedUser(tenant: tenant, id: id, external: external, salt: salt)
                try connection.query(
                    """
                    UPDATE public.erasures
                    SET state = 'running', user_id = $2::uuid, external_id = $3, user_hash = $4::bytea, started_at = now()
                    WHERE id = $1::uuid
                    """,
                    parameters: [
                        queued.string(row, 0).map { .text($0) }, .text("\(id)"), user.external.map { .text($0) },
                        .text(OwnedKeys.hex(user.hash)),
                    ])
            }
            return try due()
        }
    }

    /// Those that run, and those of which a spool has had lines that the tables were not gone through for.
    private func due() throws(PostgresError) -> [Erasure] {
        try erasures(
            """
            state = 'running' OR state = 'spools' AND EXISTS (
                SELECT FROM public.erasure_spools AS spool WHERE spool.erasure_id = own.id AND spool.state = 'settled'
            )
            """)
    }

    /// In the order in which they were asked for. Users at a time; what follows comes next.
    /// `isForTables`: else their pass is over.
    func erasures(_ condition: String, isForTables: Bool = true) throws(PostgresError) -> [Erasure] {
        let rows = try connection.execute(
            """
            SELECT id, tenant_id, user_id, external_id, pack, pass_at IS NOT NULL, (
                SELECT count(*) FROM public.erasures AS e WHERE e.user_hash = own.user_hash AND e.state = 'done'
            ), extract(epoch FROM tables_at)::text
            FROM public.erasures AS own
            WHERE \(condition)
            ORDER BY requested_at, id
            LIMIT \(Self.usersAtOnce)
            """)
        return (0..<rows.rowCount).compactMap { row in
            guard let user = rows.string(row, 2).flatMap(UniqueID.init) else { return nil }
            return Erasure(
                id: rows.string(row, 0) ?? "", tenant: Int32(truncatingIfNeeded: rows.count(row, 1)), user: user,
                external: rows.string(row, 3), pack: rows.string(row, 4),
                life: Self.life(rows.count(row, 6), after: isForTables ? rows.string(row, 7) : nil),
                wasInterrupted: rows.bool(row, 5) ?? false)
        }
    }

    /// `earlier`: how many erasures of the user are done. `pass`: when this one went through the tables; nil: not yet.
    static func life(_ earlier: Int, after pass: String? = nil) -> String {
        earlier == 0 && pass == nil ? "" : "\(earlier) \(pass ?? "")"
    }

    /// Whether there is anything to do in the tables.
    func isDue() throws(PostgresError) -> Bool {
        try connection.execute(
            """
            SELECT EXISTS (SELECT FROM public.erasures WHERE state IN ('queued', 'running'))
                OR EXISTS (SELECT FROM public.user_erasures)
                OR EXISTS (
                    SELECT FROM public.erasure_spools AS spool
                    JOIN public.erasures AS own ON own.id = spool.erasure_id
                    WHERE spool.state = 'settled' AND own.state = 'spools'
                )
                OR EXISTS (
                    SELECT FROM public.erasures AS own
                    WHERE own.state = 'spools' AND NOT EXISTS (
                        SELECT FROM public.erasure_spools AS spool WHERE spool.erasure_id = own.id AND spool.state <> 'done'
                    )
                )
            """
        ).bool(0, 0) ?? false
    }

    /// Notes the error of a run, which the next one forgets.
    func failed(_ error: String, of erasures: [Erasure]) throws(PostgresError) {
        try connection.query(
            "UPDATE public.erasures SET error = $2 WHERE id = ANY ($1::uuid[])",
            parameters: [.array(erasures.map(\.id)), .text(error)])
    }

    /// A pass begins: until it ends, whatever ends the session, the next one knows that some of it may be done.
    func passBegins(_ erasures: [Erasure]) throws(PostgresError) {
        try connection.query(
            "UPDATE public.erasures SET pass_at = now() WHERE id = ANY ($1::uuid[])",
            parameters: [.array(erasures.map(\.id))])
    }

    /// Months' tables that a pass for all of these, which was interrupted, has gone through since the last spool was settled.
    func leavesDone(of erasures: [Erasure]) throws(PostgresError) -> Set<String> {
        let rows = try connection.query(
            """
            SELECT leaf
            FROM public.erasures AS own
            CROSS JOIN LATERAL unnest(own.leaves_done) AS leaf
            WHERE own.id = ANY ($1::uuid[])
            GROUP BY leaf
            HAVING count(DISTINCT own.id) = $2::bigint
            """, parameters: [.array(erasures.map(\.id)), .integer(erasures.count)])
        return Set(rows.texts.map { $0[0] })
    }

    /// A month's table is gone through, unless spools were settled meanwhile: beside those that are `settled`.
    func leafDone(_ relation: String, of erasures: [Erasure], settled: [String]) throws(PostgresError) {
        try connection.query(
            """
            UPDATE public.erasures AS own
            SET leaves_done = array_append(leaves_done, $2::text)
            WHERE id = ANY ($1::uuid[]) AND NOT EXISTS (
                SELECT
                FROM public.erasure_spools AS spool
                WHERE spool.erasure_id = own.id AND spool.state = 'settled'
                    AND NOT spool.erasure_id::text || ' ' || spool.spool_id::text = ANY ($3::text[])
            )
            """, parameters: [.array(erasures.map(\.id)), .text(relation), .array(settled)])
    }

    /// The tables are gone through; spools that were settled before that have their files to do now.
    func tablesDone(_ erasures: [Erasure], settled: [String]) throws(PostgresError) {
        try connection.transaction { () throws(PostgresError) in
            try connection.query(
                """
                UPDATE public.erasures
                SET state = 'spools', tables_at = now(), pass_at = NULL, leaves_done = '{}', error = NULL
                WHERE id = ANY ($1::uuid[])
                """, parameters: [.array(erasures.map(\.id))])
            try connection.query(
                """
                UPDATE public.erasure_spools
                SET state = 'tables'
                WHERE state = 'settled' AND erasure_id::text || ' ' || spool_id::text = ANY ($1::text[])
                """, parameters: [.array(settled)])
        }
    }

    /// Those whose spools are all done lose the id.
    func finish() throws(PostgresError) {
        try connection.transaction { () throws(PostgresError) in
            let done = try connection.execute(
                """
                UPDATE public.erasures AS own
                SET state = 'done', user_id = NULL, external_id = NULL, done_at = now(), error = NULL,
                    counts = counts || jsonb_build_object('spool_lines', (
                        SELECT coalesce(sum(lines), 0) FROM public.erasure_spools WHERE erasure_id = own.id
                    ))
                WHERE own.state = 'spools' AND NOT EXISTS (
                    SELECT FROM public.erasure_spools AS spool WHERE spool.erasure_id = own.id AND spool.state <> 'done'
                )
                RETURNING id
                """)
            guard done.rowCount > 0 else { return }
            try connection.execute(
                """
                UPDATE public.erasure_keys AS k
                SET key = NULL
                WHERE key IS NOT NULL AND NOT EXISTS (
                    SELECT
                    FROM public.erasures AS own
                    WHERE own.state IN ('running', 'spools')
                        AND CASE
                            WHEN k.fold LIKE '%\(OwnedFold.usersSuffix)' THEN own.id = k.erasure_id
                            ELSE own.tenant_id = k.tenant_id
                        END
                )
                """)
            for row in 0..<done.rowCount {
                try AuditLog.record(.userErase, done.string(row, 0) ?? "", on: connection)
            }
        }
    }
}
