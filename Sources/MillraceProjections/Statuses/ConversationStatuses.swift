package import MillracePostgres

/// Keeps the status of saves as events say it, and what is counted of them. Blocking, inside the transaction that writes
/// the rows, after they are in and before their fold is applied.
///
/// A save's status is what was said last, by (time, id), of it or of its conversation, however they come. Counters and tops
/// count active saves: of a row that ceases to be active what it added is taken off, in each version that holds its batch,
/// and of one that becomes active again it is added.
///
/// Whoever adds or counts saves holds `AdvisoryLock.conversationStatuses` shared until its COMMIT, and who changes a status
/// holds it alone, so that each sees the other's rows.
package struct ConversationStatuses {
    /// Rows are read in parts of so many conversations.
    private static let conversationsAtOnce = 100

    /// Taken by who counts saves that are in their tables already, before it reads them.
    package static let sharedStatement =
        "SELECT pg_advisory_xact_lock_shared(\(AdvisoryLock.conversationStatuses.rawValue), 0)"
    static let aloneStatement =
        "SELECT pg_advisory_xact_lock(\(AdvisoryLock.conversationStatuses.rawValue), 0)"

    /// Whether any status was ever said, as an expression.
    package static let areThere = "EXISTS (SELECT FROM public.conversation_statuses)"

    /// Whether events of this type say the status of a conversation or a save.
    package static func takes(_ eventType: String) -> Bool { StatusGathering.EventType(named: eventType) != nil }

    private let connection: PostgresConnection
    private let batchID: Int64?

    /// `batchID`: of a batch that the ledger lacks yet; nil for rows of several, which it has.
    package init(batchID: Int64?, on connection: PostgresConnection) {
        self.batchID = batchID
        self.connection = connection
    }

    /// Of the rows that were added to `fold`, and are in their tables. Without a batch the fold must have gathered saves.
    package func settle(_ fold: BatchFold) throws(PostgresError) {
        let statuses = fold.statuses
        guard statuses.hasSaves || !statuses.changed.isEmpty else { return }
        let isAlone = batchID == nil || !statuses.changed.isEmpty
        var pipeline = PostgresPipeline(connection)
        try pipeline.send(isAlone ? Self.aloneStatement : Self.sharedStatement)
        if !statuses.changed.isEmpty { try pipeline.send(Self.upsert, parameters: statuses.parameters) }
        var conversations = statuses.changed
        if statuses.hasSaves {
            let selection: Int
            if statuses.gathersSaves {
                selection = try pipeline.send(
                    "SELECT DISTINCT conversation_id FROM public.conversation_statuses WHERE conversation_id = ANY ($1)",
                    parameters: [statuses.conversationsOfSaves])
            } else {
                // The first status of all was said while this batch was written.
                let areThere = connection.hasCitus ? "true" : Self.areThere
                selection = try pipeline.send(
                    """
                    SELECT DISTINCT conversation_id
                    FROM public.conversations
                    WHERE \(areThere) AND batch_id = $1
                    """, parameters: [batch])
            }
            try pipeline.finish { number, rows in
                guard number == selection else { return }
                for row in 0..<rows.rowCount { conversations.insert(rows.string(row, 0) ?? "") }
            }
        } else {
            try pipeline.finish { _, _ in }
        }
        // In one order, so that two runs do the same.
        let ordered = conversations.sorted()
        for start in stride(from: 0, to: ordered.count, by: Self.conversationsAtOnce) {
            let part = Array(ordered[start..<min(start + Self.conversationsAtOnce, ordered.count)])
            try change(part, ownOnly: !isAlone, fold)
        }
    }

    /// No batch has the id -1.
    private var batch: PostgresParameter { .integer(batchID ?? -1) }

    /// Gives the rows of these conversations their status. `ownOnly`: of the batch's rows alone. The connection must know
    /// whether Citus is there.
    func change(_ conversations: [String], ownOnly: Bool, _ fold: BatchFold) throws(PostgresError) {
        if connection.hasCitus { return try changeApart(conversations, ownOnly: ownOnly, fold) }
        let parameters: [PostgresParameter?] = [.array(conversations), batch]
        let condition = """
            stored.conversation_id = ANY ($1::text[])
                AND stored.status <> public.conversation_status(stored.tenant_id, stored.conversation_id, stored.id)
                AND \(ownOnly ? "stored.batch_id = $2::bigint" : "$2::bigint IS NOT NULL")
            """
        let table = PartitionedTable.conversations
        let rows = try connection.query(
            """
            SELECT \(Self.columns), \(Self.weight)
            FROM public.conversations AS stored
            WHERE \(condition)
            """, parameters: parameters, answersBinary: true)
        guard rows.rowCount > 0 else { return }
        for row in 0..<rows.rowCount { correct(rows, row, of: table, fold) }
        var pipeline = PostgresPipeline(connection)
        try pipeline.send("SET LOCAL millrace.conversations = 'status'")
        try pipeline.send(
            """
            UPDATE public.conversations AS stored
            SET status = public.conversation_status(stored.tenant_id, stored.conversation_id, stored.id)
            WHERE \(condition)
            """, parameters: parameters)
        try pipeline.send("SET LOCAL millrace.conversations = ''")
        try pipeline.finish { _, _ in }
    }

    /// The same where the saves are spread over workers, which have neither statuses nor ledger: their rows are fetched, and
    /// compared here.
    private func changeApart(_ conversations: [String], ownOnly: Bool, _ fold: BatchFold) throws(PostgresError) {
        let table = PartitionedTable.conversations
        let parameters: [PostgresParameter?] = [.array(conversations), batch]
        let condition = """
            stored.conversation_id = ANY ($1::text[])
                AND \(ownOnly ? "stored.batch_id = $2::bigint" : "$2::bigint IS NOT NULL")
            """
        let isOther =
            "stored.status <> public.conversation_status(stored.tenant_id, stored.conversation_id, stored.id)"
        let rows = try connection.query(
            """
            WITH stored AS MATERIALIZED (
                SELECT \(table.encodedColumns), status
                FROM public.conversations AS stored
                WHERE \(condition)
            )
            SELECT \(Self.columns), \(Self.weight)
            FROM stored
            WHERE \(isOther)
            """, parameters: parameters, answersBinary: true)
        guard rows.rowCount > 0 else { return }
        for row in 0..<rows.rowCount { correct(rows, row, of: table, fold) }
        try connection.query(
            """
            WITH stored AS MATERIALIZED (
                SELECT tenant_id, conversation_id, id, created_at, status
                FROM public.conversations AS stored
                WHERE \(condition)
            ), change AS MATERIALIZED (
                SELECT
                    tenant_id, id, created_at,
                    public.conversation_status(stored.tenant_id, stored.conversation_id, stored.id) AS status
                FROM stored
                WHERE \(isOther)
            )
            UPDATE public.conversations AS stored
            SET status = change.status
            FROM change
            WHERE stored.id = change.id AND stored.created_at = change.created_at
                AND stored.tenant_id = change.tenant_id
            """, parameters: parameters)
    }

    private static let columns = PartitionedTable.conversations.columns
        .map { $0 == "metadata" ? "\(PrintedSize.guarded($0)) AS metadata" : $0 }.joined(separator: ", ")

    /// Of a row `stored`: what it is to be counted by, and which versions hold its batch unless that is `$2`.
    private static let weight = """
        CASE
            WHEN stored.status = 'active' THEN -1
            WHEN public.conversation_status(stored.tenant_id, stored.conversation_id, stored.id) = 'active' THEN 1
            ELSE 0
        END,
        CASE WHEN stored.batch_id <> $2::bigint THEN \(folded) END
        """

    private func correct(
        _ rows: borrowing PostgresResult, _ row: Int, of table: PartitionedTable, _ fold: BatchFold
    ) {
        let count = table.columns.count
        let weight = rows.withBytes(row, count) { $0.map { Int32(bigEndian: $0.loadUnaligned(as: Int32.self)) } ?? 0 }
        guard weight != 0 else { return }
        let stored = StoredRow(rows, row, of: table, foldedColumn: count + 1)
        stored.bytes.withUnsafeBytes { fold.correct(table, $0, by: Int64(weight), in: stored.versions) }
    }

    /// Of the row `stored`: the versions that hold its batch, int4[].
    static let folded = """
        coalesce(
            (
                SELECT batch.folded
                FROM public.ingest_batches AS batch
                WHERE batch.batch_id = stored.batch_id AND batch.last_batch_id IS NULL
                LIMIT 1
            ),
            (
                SELECT CASE WHEN span.last_batch_id >= stored.batch_id THEN span.folded END
                FROM public.ingest_batches AS span
                WHERE span.batch_id <= stored.batch_id AND span.last_batch_id IS NOT NULL
                ORDER BY span.batch_id DESC
                LIMIT 1
            ),
            '{}'
        )
        """

    private static let upsert = """
        INSERT INTO public.conversation_statuses AS said (tenant_id, conversation_id, save_id, status, event_at, event_id)
        SELECT DISTINCT ON (1, 2, 3) *
        FROM unnest($1::int4[], $2::text[], $3::uuid[], $4::text[], $5::timestamptz[], $6::uuid[])
            AS event (tenant_id, conversation_id, save_id, status, event_at, event_id)
        ORDER BY 1, 2, 3, event_at DESC, event_id DESC
        ON CONFLICT (tenant_id, conversation_id, save_id) DO UPDATE
        SET status = EXCLUDED.status, event_at = EXCLUDED.event_at, event_id = EXCLUDED.event_id
        WHERE (said.event_at, said.event_id) < (EXCLUDED.event_at, EXCLUDED.event_id)
        """
}
