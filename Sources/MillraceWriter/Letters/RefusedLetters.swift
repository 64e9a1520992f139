import MillracePostgres

/// The dead letters of lines that the intake refused: what of them may go, oldest first. Blocks; the connection must be
/// in no transaction.
///
/// Such a line was never acknowledged as stored. Lines that were acknowledged (refused by the database, lost by damage, set
/// aside by a rule, or taken out of the outbox) are none of these, and are never dropped.
///
/// A page goes in one transaction with the count of its letters in the ledger, so that the account of `millrace verify`
/// holds before, between and after. One at a time drops, and not while rows of the ledger are joined: `AdvisoryLock.ledger`.
struct RefusedLetters {
    /// Letters of a transaction.
    private static let pageRows = 5_000

    /// What is too much.
    struct Excess: Equatable {
        var rows: Int
        var bytes: Int
        /// Letters older than `retain`.
        var old: Int

        var isNone: Bool { rows <= 0 && bytes <= 0 && old <= 0 }
    }

    /// What a page took.
    struct Dropped: Equatable {
        var rows = 0
        var bytes = 0
    }

    let connection: PostgresConnection
    let configuration: DeadLettersConfiguration
    let timeout: Duration

    private static let condition = """
        letter.kind = 'refused' AND letter.code <> 'spool_damage' AND letter.peer IS DISTINCT FROM 'outbox'
            AND NOT letter.quarantined
        """
    private static let bytes = "COALESCE(octet_length(letter.line), 0) + octet_length(letter.message)"
    private var isOld: String {
        "dead_at < now() - interval '\(Int(configuration.retain / .milliseconds(1))) milliseconds'"
    }

    /// Counts all that there are.
    func excess() throws(PostgresError) -> Excess {
        let counts = try connection.execute(
            """
            SELECT count(*), COALESCE(sum(\(Self.bytes)), 0)::bigint, count(*) FILTER (WHERE \(isOld))
            FROM public.dead_letters AS letter
            WHERE \(Self.condition)
            """, timeout: timeout)
        return Excess(
            rows: (counts.int(0, 0) ?? 0) - configuration.rowsMax,
            bytes: (counts.int(0, 1) ?? 0) - configuration.bytesMax,
            old: counts.int(0, 2) ?? 0)
    }

    /// Drops the oldest that are too many, too large together or too old, up to a page. Nothing while someone else is at it.
    /// A letter whose batch the ledger lacks stays: `verify` has something to say about it.
    func dropPage(_ excess: Excess) throws(PostgresError) -> Dropped {
        try connection.transaction(timeout: timeout) { () throws(PostgresError) -> Dropped in
            let lock = try connection.execute(
                """
                SET LOCAL lock_timeout = 500;
                SET LOCAL jit = off;
                SELECT pg_try_advisory_xact_lock(\(AdvisoryLock.ledger.rawValue), 0)
                """)
            guard lock.bool(0, 0) == true else { return Dropped() }
            let dropped = try connection.execute(statement(excess), timeout: timeout)
            return Dropped(rows: dropped.int(0, 0) ?? 0, bytes: dropped.int(0, 1) ?? 0)
        }
    }

    private func statement(_ excess: Excess) -> String {
        """
        WITH oldest AS (
            SELECT
                letter.id, letter.spool_id, letter.lines, letter.state, letter.dead_at, \(Self.bytes) AS bytes,
                batch.first_seq
            FROM public.dead_letters AS letter
            CROSS JOIN LATERAL (
                SELECT first_seq, last_seq
                FROM public.ingest_batches
                WHERE spool_id = letter.spool_id AND first_seq <= letter.sequence
                ORDER BY first_seq DESC
                LIMIT 1
            ) AS batch
            WHERE \(Self.condition) AND batch.last_seq >= letter.sequence
            ORDER BY letter.dead_at, letter.id
            LIMIT \(Self.pageRows)
        ),
        placed AS (
            SELECT
                *, row_number() OVER following AS number, sum(bytes) OVER following - bytes AS bytes_before
            FROM oldest
            WINDOW following AS (ORDER BY dead_at, id)
        ),
        gone AS (
            DELETE FROM public.dead_letters AS letter
            USING placed
            WHERE letter.id = placed.id
                AND (placed.number <= \(excess.rows) OR placed.bytes_before < \(excess.bytes) OR placed.\(isOld))
            RETURNING placed.spool_id, placed.first_seq, placed.bytes, letter.lines, letter.state
        ),
        counted AS (
            UPDATE public.ingest_batches AS batch
            SET dropped = batch.dropped + part.lines
            FROM (
                SELECT spool_id, first_seq, sum(lines) AS lines
                FROM gone
                WHERE state <> 'retried'
                GROUP BY spool_id, first_seq
            ) AS part
            WHERE batch.spool_id = part.spool_id AND batch.first_seq = part.first_seq
        )
        SELECT count(*), COALESCE(sum(bytes), 0)::bigint
        FROM gone
        """
    }
}
