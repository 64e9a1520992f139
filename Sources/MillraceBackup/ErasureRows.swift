package import MillracePostgres

/// Erasures as lines of JSON, out of a database and into another one that is older. Those that are done have salted hashes
/// only: the salt is in each backup of the database. Blocks.
package struct ErasureRows {
    private static let linesAtOnce = 1000
    private static let timeout = Duration.seconds(3600)

    private let connection: PostgresConnection

    package init(on connection: PostgresConnection) {
        self.connection = connection
    }

    package var areThere: Bool { get throws(PostgresError) { try connection.hasRelation("public.erasures") } }

    /// `millrace_database.id`
    private func database() throws(PostgresError) -> String {
        try connection.execute("SELECT id FROM public.millrace_database").string(0, 0) ?? ""
    }

    /// Of all erasures, for a backup: one that is not done as it is to be begun again.
    func all() throws(PostgresError) -> [String] {
        try lines(
            where: "true",
            row: """
                CASE state
                    WHEN 'done' THEN to_jsonb(own)
                    ELSE to_jsonb(own) || '{"state": "queued", "user_hash": null, "leaves_done": [], "counts": {}}'
                END
                """)
    }

    /// Of these, for a journal, as they are once they are done. An erasure that waits for spools has gone through the tables
    /// and counts as done.
    package func done(_ erasures: [String]) throws(PostgresError) -> [String] {
        try lines(
            where: "own.id = ANY ('\(PostgresParameter.literal(of: erasures))'::uuid[])",
            row: """
                to_jsonb(own) - 'user_id' - 'external_id' || jsonb_build_object(
                    'state', 'done', 'leaves_done', '[]'::jsonb, 'error', NULL, 'done_at', coalesce(done_at, clock_timestamp())
                )
                """)
    }

    private func lines(where condition: String, row: String) throws(PostgresError) -> [String] {
        let rows = try connection.query(
            """
            SELECT jsonb_build_object('table', part, 'database', $1::text, 'row', line)::text
            FROM (
                SELECT own.id, 1 AS place, 'erasures' AS part, \(row) AS line
                FROM public.erasures AS own
                WHERE \(condition)
                UNION ALL
                SELECT own.id, 0, 'erasure_keys', to_jsonb(kept) - 'key'
                FROM public.erasures AS own
                JOIN public.erasure_keys AS kept ON kept.erasure_id = own.id
                WHERE \(condition)
            ) AS parts
            ORDER BY id, place
            """, parameters: [.text(try database())], timeout: Self.timeout)
        return (0..<rows.rowCount).compactMap { rows.string($0, 0) }
    }

    /// Adds those of `lines` that the database lacks. Returns their ids.
    package func add(_ lines: [String]) throws(PostgresError) -> [String] {
        var added: [String] = []
        for start in stride(from: 0, to: lines.count, by: Self.linesAtOnce) {
            let part = Array(lines[start..<min(start + Self.linesAtOnce, lines.count)])
            let new = try connection.query(
                """
                INSERT INTO public.erasures (
                    id, tenant_id, user_id, external_id, pack, user_hash, state, source, requested_at, started_at,
                    tables_at, done_at, counts
                )
                SELECT
                    id, tenant_id, user_id, external_id, pack, CASE state WHEN 'done' THEN user_hash END,
                    CASE state WHEN 'done' THEN 'done' ELSE 'queued' END, source, requested_at,
                    CASE state WHEN 'done' THEN started_at END, CASE state WHEN 'done' THEN tables_at END, done_at,
                    coalesce(counts, '{}')
                \(Self.rows(of: "erasures"))
                ON CONFLICT DO NOTHING
                RETURNING id
                """, parameters: [.array(part)], timeout: Self.timeout)
            added += (0..<new.rowCount).compactMap { new.string($0, 0) }
        }
        // An erasure that is to run again finds its keys itself.
        for start in stride(from: 0, to: lines.count, by: Self.linesAtOnce) {
            let part = Array(lines[start..<min(start + Self.linesAtOnce, lines.count)])
            try connection.query(
                """
                INSERT INTO public.erasure_keys (tenant_id, erasure_id, fold, key_hash)
                SELECT tenant_id, erasure_id, fold, key_hash
                \(Self.rows(of: "erasure_keys"))
                    AND EXISTS (SELECT FROM public.erasures WHERE id = stored.erasure_id AND state = 'done')
                ON CONFLICT DO NOTHING
                """, parameters: [.array(part)], timeout: Self.timeout)
        }
        return added
    }

    private static func rows(of table: String) -> String {
        """
        FROM unnest($1::text[]) AS lines (line)
        CROSS JOIN LATERAL jsonb_populate_record(NULL::public.\(table), line::jsonb -> 'row') AS stored
        WHERE line::jsonb ->> 'table' = '\(table)'
        """
    }

    // MARK: - A journal beside

    package struct Comparison: Sendable {
        /// Lines of a journal of which the database knows nothing.
        package var lacking: [String] = []
        /// Erasures that are done and stand in no journal, by their ids.
        package var unwritten: [String] = []
    }

    /// `lines`: of journals; those of other databases are left out.
    package func compare(_ lines: [String]) throws(PostgresError) -> Comparison {
        let database = try database()
        let rows = try connection.execute("SELECT id::text, state FROM public.erasures", timeout: Self.timeout)
        let known = Set((0..<rows.rowCount).compactMap { rows.string($0, 0) })
        let done = (0..<rows.rowCount).filter { rows.string($0, 1) == "done" }.compactMap { rows.string($0, 0) }
        var comparison = Comparison()
        var written: Set<String> = []
        // Keys come before their erasure.
        var keys: [String] = []
        for line in lines {
            guard let erasure = ErasureJournal.erasure(in: line) else {
                keys.append(line)
                continue
            }
            if erasure.database == database {
                written.insert(erasure.id)
                if !known.contains(erasure.id) { comparison.lacking += keys + [line] }
            }
            keys = []
        }
        comparison.unwritten = done.filter { !written.contains($0) }
        return comparison
    }

    /// Those that were done after a time (RFC 3339), and those that are not done.
    package func done(after time: String) throws(PostgresError) -> [String] {
        let rows = try connection.query(
            "SELECT id::text FROM public.erasures WHERE coalesce(done_at, 'infinity') > $1::timestamptz",
            parameters: [.text(time)])
        return (0..<rows.rowCount).compactMap { rows.string($0, 0) }
    }
}
