internal import MillraceConsole
internal import MillraceEvent
internal import MillracePostgres

extension LedgerAudit {
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
            try count(partition.relation, of: partition.table, partition.month)
        }
        try countRetired(beside: partitions)
        // Conversations that were erased with their users were rows too.
        if try connection.hasRelation("public.erased_rows") {
            try connection.execute(
                """
                INSERT INTO verify_counts
                SELECT batch_id, 0, conversations
                FROM public.erased_rows
                WHERE batch_id >= \(firstBatchID)
                """, timeout: timeout)
        }
        let result = try connection.query(comparison, timeout: timeout)
        let examples = result.texts.map { row in
            let batch = row[1].isEmpty ? "batch \(row[0])" : "joined batches \(row[0])…\(row[1])"
            return row[4].isEmpty
                ? "\(batch) is not in the ledger and has \(row[2]) events, \(row[3]) conversations"
                : "\(batch): \(row[2]) events of \(row[4]), \(row[3]) conversations of \(row[5])"
        }
        let joined = try connection.execute(
            """
            SELECT COALESCE(sum(batches), 0), count(DISTINCT batch_id)
            FROM public.ingest_batches
            WHERE last_batch_id IS NOT NULL AND batch_id >= \(firstBatchID)
            """, timeout: timeout)
        let stretches =
            joined.count(0, 0) == 0
            ? ""
            : "; \(Format.count(joined.count(0, 0))) of them are joined, and were counted together in "
                + "\(Format.count(joined.count(0, 1))) stretches"
        return CheckResult(
            "the tables hold what the ledger says",
            ok: result.rowCount == 0,
            detail: result.rowCount == 0
                ? "every batch\(start == nil ? "" : " since then") has its rows in \(partitions.count) partitions"
                    + stretches
                : "\(result.count(0, 6)) batches differ: \(examples.joined(separator: "; "))",
            fix: "Rows were deleted, changed or added by someone else than Millrace; restore them from a backup.")
    }

    /// Counts one month's rows by batch. Where the month ended before the start, only late rows count, which the index on
    /// batch_id finds.
    private func count(
        _ relation: String, of table: PartitionedTable, _ month: PartitionMonth?
    ) throws(PostgresError) {
        let isEvents = table == .analyticsEvents
        let isOver = start.flatMap { start in month.map { $0.upperMicroseconds <= start.microseconds } } ?? false
        if isOver { try connection.execute("SET LOCAL enable_seqscan = off") }
        try connection.execute(
            """
            INSERT INTO verify_counts
            SELECT batch_id, \(isEvents ? "count(*), 0" : "0, count(*)")
            FROM \(relation)
            \(start == nil ? "" : "WHERE batch_id >= \(firstBatchID)")
            GROUP BY batch_id
            """, timeout: timeout)
        if isOver { try connection.execute("SET LOCAL enable_seqscan TO DEFAULT") }
    }

    /// Counts the rows of months on their way out: in their tables, as long as these are there; what is gone, as it was
    /// counted then.
    private func countRetired(beside attached: [Partition]) throws(PostgresError) {
        guard try MonthTable.isThere(connection) else { return }
        for record in try MonthTable.all(connection) {
            let isAttached = attached.contains { $0.table == record.table && $0.name == record.relation }
            guard !isAttached, record.state != .live else { continue }
            if !record.state.isAway, try connection.hasRelation("public.\(record.relation)") {
                try count("public.\(record.relation)", of: record.table, record.month)
            } else {
                try connection.query(
                    """
                    INSERT INTO verify_counts
                    SELECT batch_id, \(record.table == .analyticsEvents ? "rows, 0" : "0, rows")
                    FROM public.partition_month_batches
                    WHERE table_name = $1 AND month = $2::date AND batch_id >= \(firstBatchID)
                    """,
                    parameters: [.text(record.table.rawValue), .text(record.month.firstDay)], timeout: timeout)
            }
        }
    }

    /// A row of batch b belongs to the plain row of b in the ledger, or else to the span of joined batches that b falls
    /// into: the last one that begins at b or before it.
    private var comparison: String {
        """
        WITH found AS (
            SELECT batch_id, sum(events)::bigint AS events, sum(conversations)::bigint AS conversations
            FROM verify_counts
            GROUP BY batch_id
        ),
        ledger AS (
            SELECT
                batch_id, last_batch_id,
                sum(rows - conversation_rows)::bigint AS events, sum(conversation_rows)::bigint AS conversations
            FROM public.ingest_batches
            WHERE batch_id >= \(firstBatchID)
            GROUP BY batch_id, last_batch_id
        ),
        plain AS (
            SELECT
                batch_id, found.events, found.conversations,
                ledger.events AS ledger_events, ledger.conversations AS ledger_conversations
            FROM found
            FULL JOIN (SELECT * FROM ledger WHERE last_batch_id IS NULL) AS ledger USING (batch_id)
        ),
        placed AS (
            SELECT batch_id, events, conversations, max(span) OVER (ORDER BY batch_id, span NULLS LAST) AS span
            FROM (
                SELECT batch_id, events, conversations, NULL::bigint AS span
                FROM plain
                WHERE ledger_events IS NULL
                UNION ALL
                SELECT batch_id, 0, 0, batch_id
                FROM ledger
                WHERE last_batch_id IS NOT NULL
            ) AS ordered
        ),
        joined AS (
            SELECT
                ledger.batch_id, ledger.last_batch_id, sum(placed.events)::bigint AS events,
                sum(placed.conversations)::bigint AS conversations,
                min(ledger.events) AS ledger_events, min(ledger.conversations) AS ledger_conversations
            FROM ledger
            JOIN placed ON placed.span = ledger.batch_id AND placed.batch_id <= ledger.last_batch_id
            WHERE ledger.last_batch_id IS NOT NULL
            GROUP BY ledger.batch_id, ledger.last_batch_id
        ),
        compared AS (
            SELECT batch_id, NULL::bigint AS last_batch_id, events, conversations, ledger_events, ledger_conversations
            FROM plain
            WHERE ledger_events IS NOT NULL
            UNION ALL
            SELECT * FROM joined
            UNION ALL
            SELECT placed.batch_id, NULL, placed.events, placed.conversations, NULL, NULL
            FROM placed
            LEFT JOIN ledger ON ledger.batch_id = placed.span AND ledger.last_batch_id IS NOT NULL
            WHERE ledger.batch_id IS NULL OR placed.batch_id > ledger.last_batch_id
        )
        SELECT
            batch_id, last_batch_id, COALESCE(events, 0), COALESCE(conversations, 0),
            ledger_events, ledger_conversations, count(*) OVER ()
        FROM compared
        WHERE COALESCE(events, 0) <> COALESCE(ledger_events, 0)
            OR COALESCE(conversations, 0) <> COALESCE(ledger_conversations, 0)
            OR ledger_events IS NULL
        ORDER BY batch_id
        LIMIT \(Self.examplesMax)
        """
    }

    /// Compares the dead letters of each batch with the ledger. A letter names its sequence, so that it is told of which
    /// row it is even when its batch was joined.
    func deadLetters() throws(PostgresError) -> CheckResult {
        // A letter that was retried is counted as a row or a duplicate since: the ledger was changed with it.
        let result = try connection.query(
            """
            WITH found AS (
                SELECT
                    letter.spool_id, COALESCE(batch.first_seq, letter.sequence) AS first_seq,
                    sum(letter.lines)::bigint AS letters, min(letter.batch_id) AS batch_id
                FROM public.dead_letters AS letter
                LEFT JOIN LATERAL (
                    SELECT first_seq, last_seq
                    FROM public.ingest_batches
                    WHERE spool_id = letter.spool_id AND first_seq <= letter.sequence
                    ORDER BY first_seq DESC
                    LIMIT 1
                ) AS batch ON batch.last_seq >= letter.sequence
                WHERE letter.state <> 'retried' AND letter.batch_id >= \(firstBatchID)
                GROUP BY 1, 2
            )
            SELECT COALESCE(ledger.batch_id, found.batch_id), letters, expected, count(*) OVER ()
            FROM found
            FULL JOIN (
                SELECT spool_id, first_seq, batch_id, dead + refused - dropped AS expected
                FROM public.ingest_batches
                WHERE batch_id >= \(firstBatchID) AND dead + refused > dropped
            ) AS ledger USING (spool_id, first_seq)
            WHERE COALESCE(letters, 0) <> COALESCE(expected, 0)
            ORDER BY 1
            LIMIT \(Self.examplesMax)
            """, timeout: timeout)
        let dropped = try connection.execute(
            "SELECT COALESCE(sum(dropped), 0)::bigint FROM public.ingest_batches WHERE batch_id >= \(firstBatchID)",
            timeout: timeout
        ).count(0, 0)
        let left =
            dropped == 0 ? "" : " − \(Format.count(dropped)) of refused lines, dropped for the bounds of [dead_letters]"
        let examples = result.texts.map { row in
            "batch \(row[0]): \(row[1].isEmpty ? "0" : row[1]) of \(row[2].isEmpty ? "0" : row[2])"
        }
        return CheckResult(
            "every refused line has its dead letter",
            ok: result.rowCount == 0,
            detail: result.rowCount == 0
                ? "dead letters = dead + refused\(left)"
                : "\(result.count(0, 3)) batches differ: \(examples.joined(separator: "; "))",
            fix: "Rows of dead_letters were deleted; use `millrace dead-letters purge`, which keeps the account.")
    }
}
