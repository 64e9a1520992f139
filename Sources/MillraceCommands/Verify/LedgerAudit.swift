internal import MillraceEvent
internal import MillracePostgres

/// Reads ledger and tables for `verify`. Blocks; every function runs in the one transaction that `verify` opens, so all
/// of them see the same moment.
struct LedgerAudit {
    /// Examples shown of anything wrong.
    static let examplesMax = 5

    let connection: PostgresConnection
    /// For one statement; a month of a large table is read whole.
    let timeout: Duration

    /// The spools in the ledger.
    func spoolIDs() throws(PostgresError) -> [UniqueID] {
        let result = try connection.query(
            "SELECT DISTINCT spool_id::text FROM public.ingest_batches ORDER BY 1", timeout: timeout)
        return (0..<result.rowCount).compactMap { result.string($0, 0).flatMap { UniqueID($0) } }
    }

    /// Sums over the batches of `spoolID` that begin before `end`.
    func totals(of spoolID: UniqueID, before end: UInt64?) throws(PostgresError) -> LedgerTotals {
        let result = try connection.query(
            """
            SELECT
                count(*),
                COALESCE(sum(rows), 0), COALESCE(sum(conversation_rows), 0),
                COALESCE(sum(duplicates), 0), COALESCE(sum(conversation_duplicates), 0),
                COALESCE(sum(dead), 0), COALESCE(sum(conversation_dead), 0),
                COALESCE(sum(refused), 0),
                COALESCE(sum(last_seq - first_seq + 1), 0)::bigint,
                COALESCE(min(first_seq), 0),
                COALESCE(max(last_seq) + 1, 0)
            FROM public.ingest_batches
            WHERE spool_id = $1::uuid AND ($2::bigint IS NULL OR first_seq < $2::bigint)
            """,
            parameters: [.text("\(spoolID)"), end.map { .integer($0) }], timeout: timeout)
        return LedgerTotals(
            batches: result.count(0, 0),
            rows: .init(all: result.count(0, 1), conversations: result.count(0, 2)),
            duplicates: .init(all: result.count(0, 3), conversations: result.count(0, 4)),
            dead: .init(all: result.count(0, 5), conversations: result.count(0, 6)),
            refused: result.count(0, 7),
            sequences: result.count(0, 8),
            firstSequence: UInt64(result.count(0, 9)),
            endSequence: UInt64(result.count(0, 10))
        )
    }

    /// The sequences between the batches of `spoolID`, in order.
    func holes(of spoolID: UniqueID) throws(PostgresError) -> [Range<UInt64>] {
        let result = try connection.query(
            """
            SELECT last_seq + 1, next_seq
            FROM (
                SELECT last_seq, lead(first_seq) OVER (ORDER BY first_seq) AS next_seq
                FROM public.ingest_batches
                WHERE spool_id = $1::uuid
            ) AS neighbours
            WHERE next_seq > last_seq + 1
            ORDER BY 1
            """,
            parameters: [.text("\(spoolID)")], timeout: timeout)
        return (0..<result.rowCount).map { row in
            UInt64(result.count(row, 0))..<UInt64(result.count(row, 1))
        }
    }

    /// First sequences of the runs of `spoolID` that have reached this database, in order.
    func runStarts(of spoolID: UniqueID) throws(PostgresError) -> [UInt64] {
        let known = try connection.execute("SELECT to_regclass('public.ingest_runs') IS NOT NULL", timeout: timeout)
        guard known.bool(0, 0) == true else { return [] }
        let result = try connection.query(
            "SELECT first_seq FROM public.ingest_runs WHERE spool_id = $1::uuid ORDER BY 1",
            parameters: [.text("\(spoolID)")], timeout: timeout)
        return (0..<result.rowCount).map { UInt64(result.count($0, 0)) }
    }

    /// Batches whose sequences another batch of the same spool has too.
    func overlaps() throws(PostgresError) -> CheckResult {
        let result = try connection.query(
            """
            SELECT spool_id::text, first_seq, last_seq, next_seq, count(*) OVER ()
            FROM (
                SELECT
                    spool_id, first_seq, last_seq,
                    lead(first_seq) OVER (PARTITION BY spool_id ORDER BY first_seq) AS next_seq
                FROM public.ingest_batches
            ) AS neighbours
            WHERE next_seq <= last_seq
            LIMIT \(Self.examplesMax)
            """, timeout: timeout)
        let examples = result.texts.map { "\($0[0]) \($0[1])…\($0[2]) and \($0[3])…" }
        return CheckResult(
            "no sequence is in two batches",
            ok: result.rowCount == 0,
            detail: result.rowCount == 0
                ? "no overlaps" : "\(result.count(0, 4)) overlaps: \(examples.joined(separator: "; "))",
            mend: "The same lines may be in twice: compare the rows of these batches, and stop every second daemon.")
    }

    /// Batches whose counts do not add up to their sequences.
    func sums() throws(PostgresError) -> CheckResult {
        let result = try connection.query(
            """
            SELECT batch_id, count(*) OVER ()
            FROM public.ingest_batches
            WHERE rows::bigint + duplicates + dead + refused + skipped <> last_seq - first_seq + 1
            LIMIT \(Self.examplesMax)
            """, timeout: timeout)
        let examples = result.texts.map { $0[0] }
        return CheckResult(
            "every batch adds up",
            ok: result.rowCount == 0,
            detail: result.rowCount == 0
                ? "rows + duplicates + dead + refused + skipped = sequences"
                : "\(result.count(0, 1)) do not: batches \(examples.joined(separator: ", "))",
            mend: "The ledger was changed by hand; restore these rows from a backup.")
    }

    /// Counts the rows of every month by batch and compares them with the ledger. `progress` is told the month.
    func rows(_ progress: (_ partition: String, _ index: Int, _ count: Int) -> Void) throws(PostgresError)
        -> CheckResult
    {
        // In the server, since a table of lone events has as many batches as rows.
        try connection.execute(
            """
            CREATE TEMPORARY TABLE verify_counts (
                batch_id bigint NOT NULL,
                events bigint NOT NULL,
                conversations bigint NOT NULL
            ) ON COMMIT DROP
            """)
        let partitions = try Partitions(connection: connection).list()
        for (index, partition) in partitions.enumerated() {
            progress(partition.name, index, partitions.count)
            let isEvents = partition.table == .analyticsEvents
            try connection.execute(
                """
                INSERT INTO verify_counts
                SELECT batch_id, \(isEvents ? "count(*), 0" : "0, count(*)")
                FROM public.\(partition.name)
                GROUP BY batch_id
                """, timeout: timeout)
        }
        let result = try connection.query(
            """
            SELECT batch_id, events, conversations, ledger_events, ledger_conversations, count(*) OVER ()
            FROM (
                SELECT batch_id, sum(events)::bigint AS events, sum(conversations)::bigint AS conversations
                FROM verify_counts
                GROUP BY batch_id
            ) AS found
            FULL JOIN (
                SELECT
                    batch_id,
                    sum(rows - conversation_rows)::bigint AS ledger_events,
                    sum(conversation_rows)::bigint AS ledger_conversations
                FROM public.ingest_batches
                GROUP BY batch_id
            ) AS ledger USING (batch_id)
            WHERE COALESCE(events, 0) <> COALESCE(ledger_events, 0)
                OR COALESCE(conversations, 0) <> COALESCE(ledger_conversations, 0)
                OR ledger_events IS NULL
            ORDER BY batch_id
            LIMIT \(Self.examplesMax)
            """, timeout: timeout)
        let examples = result.texts.map { row in
            row[3].isEmpty
                ? "batch \(row[0]) is not in the ledger and has \(row[1]) events, \(row[2]) conversations"
                : "batch \(row[0]): \(row[1].isEmpty ? "0" : row[1]) events of \(row[3]), "
                    + "\(row[2].isEmpty ? "0" : row[2]) conversations of \(row[4])"
        }
        return CheckResult(
            "the tables hold what the ledger says",
            ok: result.rowCount == 0,
            detail: result.rowCount == 0
                ? "every batch has its rows in \(partitions.count) partitions"
                : "\(result.count(0, 5)) batches differ: \(examples.joined(separator: "; "))",
            mend: "Rows were deleted, changed or added by someone else than Millrace; restore them from a backup.")
    }

    /// Compares the dead letters of each batch with the ledger.
    func deadLetters() throws(PostgresError) -> CheckResult {
        // A letter that was retried is counted as a row or a duplicate since: the ledger was changed with it.
        let result = try connection.query(
            """
            SELECT batch_id, letters, expected, count(*) OVER ()
            FROM (
                SELECT batch_id, sum(lines)::bigint AS letters
                FROM public.dead_letters
                WHERE state <> 'retried'
                GROUP BY batch_id
            ) AS found
            FULL JOIN (
                SELECT batch_id, sum(dead + refused)::bigint AS expected
                FROM public.ingest_batches
                GROUP BY batch_id
            ) AS ledger USING (batch_id)
            WHERE COALESCE(letters, 0) <> COALESCE(expected, 0)
            ORDER BY batch_id
            LIMIT \(Self.examplesMax)
            """, timeout: timeout)
        let examples = result.texts.map { row in
            "batch \(row[0]): \(row[1].isEmpty ? "0" : row[1]) of \(row[2].isEmpty ? "0" : row[2])"
        }
        return CheckResult(
            "every refused line has its dead letter",
            ok: result.rowCount == 0,
            detail: result.rowCount == 0
                ? "dead letters = dead + refused"
                : "\(result.count(0, 3)) batches differ: \(examples.joined(separator: "; "))",
            mend: "Rows of dead_letters were deleted; use `millrace dead-letters purge`, which keeps the account.")
    }

    /// Stretches of a spool that could not be read back: acknowledged lines are lost, until somebody has purged their
    /// letters, and so knows.
    func damages() throws(PostgresError) -> CheckResult {
        let result = try connection.query(
            """
            SELECT message, count(*) OVER (), sum(lines) OVER ()
            FROM public.dead_letters
            WHERE code = 'spool_damage' AND state = 'open'
            ORDER BY dead_at DESC
            LIMIT \(Self.examplesMax)
            """, timeout: timeout)
        let examples = result.texts.map { $0[0] }
        return CheckResult(
            "every acknowledged line could be read back",
            ok: result.rowCount == 0,
            detail: result.rowCount == 0
                ? "no open dead letters of damage"
                : "\(result.count(0, 2)) acknowledged lines are LOST in \(result.count(0, 1)) damaged places: "
                    + examples.joined(separator: "; "),
            mend:
                "Send these lines again from where they came, if that still has them (the damaged bytes are kept where the "
                + "letter says); then `millrace dead-letters purge --code spool_damage --older-than 1s --yes` acknowledges "
                + "the loss.")
    }

    /// Damaged places whose loss was acknowledged.
    func acknowledgedDamages() throws(PostgresError) -> Int {
        try connection.query(
            "SELECT count(*) FROM public.dead_letters WHERE code = 'spool_damage' AND state <> 'open'", timeout: timeout
        ).count(0, 0)
    }

    /// Ids of events that stand at more than one time.
    func repeatedIDs() throws(PostgresError) -> Int {
        let result = try connection.query(
            """
            SELECT count(*)
            FROM (SELECT id FROM public.analytics_events GROUP BY id HAVING count(*) > 1) AS repeated
            """, timeout: timeout)
        return result.count(0, 0)
    }
}
