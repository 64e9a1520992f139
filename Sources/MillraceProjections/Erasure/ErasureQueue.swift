package import MillraceEvent
internal import MillraceJSON
package import MillracePostgres

/// `public.erasures` and what belongs to it: who is to be erased, how far that is, and which spools have still to do their
/// part. Blocks.
package struct ErasureQueue {
    /// Users in one run, which goes once through all months.
    static let usersAtOnce = 100
    /// Spools whose daemons have not begun for so long are not asked: what they had is long in the tables, or gone.
    private static let spoolAgeMax = "90 days"
    /// `ingest_spools.host` of what is no daemon's spool begins so.
    private static let seedPrefix = "seed of "

    private let connection: PostgresConnection

    package init(on connection: PostgresConnection) {
        self.connection = connection
    }

    /// Whether the schema has the tables.
    package var isThere: Bool { get throws(PostgresError) { try connection.hasRelation("public.erasures") } }

    // MARK: - Queueing

    /// Queues an erasure, with its row of the audit log, which does not name the user. An open one of the same user is as
    /// good. Returns its id.
    package func add(
        _ user: String, tenant: Int32, source: Erasure.Source, by actor: AuditActor = .process
    ) throws(PostgresError) -> String {
        let id = ExternalUserID.id(of: user, tenant: tenant)
        let external = UniqueID(user) == nil ? user : nil
        return try connection.transaction { () throws(PostgresError) in
            try connection.execute("LOCK TABLE public.erasures IN SHARE ROW EXCLUSIVE MODE")
            let open = try connection.query(
                """
                SELECT id
                FROM public.erasures
                WHERE state <> 'done' AND pack IS NULL AND tenant_id = $1::integer AND (user_id = $2::uuid OR external_id = $3)
                    AND (external_id IS NOT DISTINCT FROM $3 OR $3 IS NULL)
                LIMIT 1
                """, parameters: [.integer(tenant), .text("\(id)"), external.map { .text($0) }])
            if let known = open.texts.first?.first { return known }
            let new =
                try connection.query(
                    """
                    INSERT INTO public.erasures (tenant_id, user_id, external_id, source)
                    VALUES ($1::integer, $2::uuid, $3, $4)
                    RETURNING id
                    """,
                    parameters: [
                        .integer(tenant), .text("\(id)"), external.map { .text($0) }, .text(source.rawValue),
                    ]
                ).string(0, 0) ?? ""
            try AuditLog.record(
                .userEraseRequest, new, after: ["tenant": .integer(Int(tenant)), "source": .string(source.rawValue)],
                by: actor, on: connection)
            return new
        }
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

    /// Takes up what is queued: from now on those run, and the spools are asked. Returns all that run.
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
                try connection.query(
                    """
                    INSERT INTO public.erasure_spools (erasure_id, spool_id)
                    SELECT $1::uuid, spool_id
                    FROM public.ingest_spools
                    WHERE last_started_at > now() - interval '\(Self.spoolAgeMax)' AND NOT starts_with(host, '\(Self.seedPrefix)')
                    """, parameters: [queued.string(row, 0).map { .text($0) }])
            }
            return try open()
        }
    }

    /// All that run or wait for spools.
    package func open() throws(PostgresError) -> [Erasure] {
        let rows = try connection.execute(
            """
            SELECT id, tenant_id, user_id, external_id, state, array_to_string(leaves_done, ' '), pack
            FROM public.erasures
            WHERE state IN ('running', 'spools')
            ORDER BY requested_at, id
            LIMIT \(Self.usersAtOnce)
            """)
        return (0..<rows.rowCount).compactMap { row in
            guard let user = rows.string(row, 2).flatMap(UniqueID.init) else { return nil }
            return Erasure(
                id: rows.string(row, 0) ?? "", tenant: Int32(truncatingIfNeeded: rows.count(row, 1)), user: user,
                external: rows.string(row, 3), pack: rows.string(row, 6), isRunning: rows.string(row, 4) == "running",
                leavesDone: Set((rows.string(row, 5) ?? "").split(separator: " ").map(String.init)))
        }
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

    /// A month's table is gone through.
    func leafDone(_ relation: String, of erasures: [Erasure]) throws(PostgresError) {
        try connection.query(
            "UPDATE public.erasures SET leaves_done = array_append(leaves_done, $2::text) WHERE id = ANY ($1::uuid[])",
            parameters: [.array(erasures.map(\.id)), .text(relation)])
    }

    /// The tables are gone through; spools that were settled before that have their files to do now.
    func tablesDone(_ erasures: [Erasure], settled: [String], counts: ErasureCounts) throws(PostgresError) {
        try connection.transaction { () throws(PostgresError) in
            try connection.query(
                """
                UPDATE public.erasures
                SET state = 'spools', tables_at = now(), leaves_done = '{}', error = NULL,
                    counts = (
                        SELECT jsonb_object_agg(name, value + coalesce((counts ->> name)::bigint, 0))
                        FROM unnest($2::text[], $3::bigint[]) AS c (name, value)
                    )
                WHERE id = ANY ($1::uuid[])
                """,
                parameters: [
                    .array(erasures.map(\.id)), .array(counts.named.map(\.name)), .array(counts.named.map(\.count)),
                ])
            try connection.query(
                """
                UPDATE public.erasure_spools
                SET state = 'tables'
                WHERE state = 'settled' AND erasure_id::text || ' ' || spool_id::text = ANY ($1::text[])
                """, parameters: [.array(settled)])
        }
    }

    /// Which spools of which erasures are settled.
    func settled() throws(PostgresError) -> [String] {
        let rows = try connection.execute(
            "SELECT erasure_id::text || ' ' || spool_id::text FROM public.erasure_spools WHERE state = 'settled'")
        return (0..<rows.rowCount).compactMap { rows.string($0, 0) }
    }

    /// Those whose spools are all done lose the id.
    func finish() throws(PostgresError) {
        try connection.transaction { () throws(PostgresError) in
            let done = try connection.execute(
                """
                WITH ended AS (
                    UPDATE public.erasures AS own
                    SET state = 'done', user_id = NULL, external_id = NULL, done_at = now(), error = NULL,
                        counts = counts || jsonb_build_object('spool_lines', (
                            SELECT coalesce(sum(lines), 0) FROM public.erasure_spools WHERE erasure_id = own.id
                        ))
                    WHERE own.state = 'spools' AND NOT EXISTS (
                        SELECT FROM public.erasure_spools AS spool WHERE spool.erasure_id = own.id AND spool.state <> 'done'
                    )
                    RETURNING id
                ), keys AS (
                    UPDATE public.erasure_keys AS k SET key = NULL FROM ended WHERE k.erasure_id = ended.id
                )
                SELECT id FROM ended
                """)
            for row in 0..<done.rowCount {
                try AuditLog.record(.userErase, done.string(row, 0) ?? "", on: connection)
            }
        }
    }

    // MARK: - Spools

    /// What a spool has to do: erasures by state.
    package func tasks(of spool: UniqueID) throws(PostgresError) -> (asked: [String], tables: [Erasure]) {
        let rows = try connection.query(
            "SELECT erasure_id::text, state FROM public.erasure_spools WHERE spool_id = $1::uuid AND state IN ('asked', 'tables')",
            parameters: [.text("\(spool)")])
        let states = rows.texts
        guard !states.isEmpty else { return ([], []) }
        let wanted = Set(states.filter { $0[1] == "tables" }.map { $0[0] })
        return (states.filter { $0[1] == "asked" }.map { $0[0] }, try open().filter { wanted.contains($0.id) })
    }

    /// All that the spool held when it was asked is in the tables.
    package func spoolSettled(_ erasures: [String], spool: UniqueID) throws(PostgresError) {
        try connection.query(
            """
            UPDATE public.erasure_spools
            SET state = 'settled'
            WHERE erasure_id = ANY ($1::uuid[]) AND spool_id = $2::uuid AND state = 'asked'
            """, parameters: [.array(erasures), .text("\(spool)")])
    }

    /// Its files hold nothing of them any more.
    package func spoolDone(_ erasures: [String], spool: UniqueID, lines: Int) throws(PostgresError) {
        try connection.query(
            """
            UPDATE public.erasure_spools
            SET state = 'done', lines = $3::bigint, done_at = now()
            WHERE erasure_id = ANY ($1::uuid[]) AND spool_id = $2::uuid
            """, parameters: [.array(erasures), .text("\(spool)"), .integer(lines)])
    }

    /// Nobody waits for a spool that is gone for good. Returns how many erasures did.
    package func forget(spool: UniqueID) throws(PostgresError) -> Int {
        try connection.query(
            "UPDATE public.erasure_spools SET state = 'done', done_at = now() WHERE spool_id = $1::uuid AND state <> 'done'",
            parameters: [.text("\(spool)")]
        ).affectedRows
    }

    /// The keys of rows that go with users of these erasures.
    package func keys(of erasures: [Erasure]) throws(PostgresError) -> [String: [Int32: Set<String>]] {
        try OwnedKeys.kept(of: erasures.map(\.id), on: connection)
    }
}

/// One erasure that is not done.
package struct Erasure: Sendable, Equatable {
    /// Raw value = `erasures.source`.
    package enum Source: String, Sendable {
        case command
        case api
        /// A pack deleted the user.
        case trigger
        /// A month or a backup came back that still had the user.
        case replay
    }

    package var id: String
    package var tenant: Int32
    package var user: UniqueID
    package var external: String?
    /// Which pack alone knows the user by `external`; nil: all.
    package var pack: String?
    /// Else it waits for spools.
    package var isRunning: Bool
    package var leavesDone: Set<String>
}
