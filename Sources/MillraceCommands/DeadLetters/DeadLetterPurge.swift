internal import MillracePostgres

/// Removes the lines of old letters. The rows stay: the ledger counts them.
struct DeadLetterPurge {
    let connection: PostgresConnection
    let olderThan: Age
    /// nil: every reason.
    let code: String?

    private var parameters: [PostgresParameter?] { [.integer(olderThan.seconds), code.map { .text($0) }] }

    private static let condition = """
        (state = 'open' OR (state = 'retried' AND line IS NOT NULL))
            AND dead_at < now() - make_interval(secs => $1::double precision)
            AND ($2::text IS NULL OR code = $2)
        """

    /// Letters that `run` would take.
    func count() throws(PostgresError) -> Int {
        try connection.query(
            "SELECT count(*) FROM public.dead_letters WHERE \(Self.condition)", parameters: parameters
        ).count(0, 0)
    }

    /// Returns how many letters lost their line.
    func run() throws(PostgresError) -> Int {
        try connection.query(
            """
            UPDATE public.dead_letters
            SET line = NULL,
                state = CASE state WHEN 'open' THEN 'purged' ELSE state END,
                resolved_at = COALESCE(resolved_at, now())
            WHERE \(Self.condition)
            """, parameters: parameters, timeout: .seconds(600)
        ).affectedRows
    }
}
