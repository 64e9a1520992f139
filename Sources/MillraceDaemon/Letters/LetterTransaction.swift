internal import MillraceAPI
internal import MillraceEvent
internal import MillraceJSON
internal import MillracePostgres
internal import MillraceProjections

/// One transaction of a retry of dead letters: letters, rows, the ledger's counts and the projections, all or nothing.
struct LetterTransaction {
    /// A projection's table refused a row: it is parked under its batch, so that batches have to be told apart.
    struct ParkedOfSeveralBatches: Error {}

    /// A row of the ledger.
    private struct LedgerKey: Hashable {
        var spoolID: UniqueID
        var firstSequence: UInt64
    }

    private struct LedgerRow {
        var key: LedgerKey
        var lastSequence: UInt64
        /// Versions that hold the batch.
        var folded: [Int]
    }

    /// Looks for ledger rows that are joined meanwhile.
    private static let looksMax = 3

    let connection: PostgresConnection
    let packs: [PackDefinition]
    let actor: AuditActor

    /// One outcome a line, in their order.
    func run(_ lines: [RetriedLine]) throws -> [LetterRetry.Outcome] {
        _ = try connection.lookForCitus()
        return try ProjectionsLock(connection: connection).transaction {
            try connection.execute(ProjectionsLock.sharedStatement)
            let taken = try take(lines)
            let own = lines.filter { taken.contains($0.letter.id) }
            let rows = try lockLedger(own)
            let written = try insert(own)
            try account(zip(own, rows).map { ($0, $1, written.contains($0.letter.id)) })
            try fold(zip(own, rows).filter { written.contains($0.0.letter.id) }.map { ($0, $1) })
            try record(own, written: written.count)
            return lines.map { line in
                guard taken.contains(line.letter.id) else { return .skipped }
                return written.contains(line.letter.id) ? .committed : .duplicate
            }
        }
    }

    private func record(_ lines: [RetriedLine], written: Int) throws(PostgresError) {
        guard !lines.isEmpty else { return }
        let codes = Set(lines.map(\.letter.code)).sorted()
        try AuditLog.record(
            .deadLettersRetry, "dead_letters", before: ["codes": .strings(codes), "letters": .integer(lines.count)],
            after: ["rows": .integer(written)], by: actor, on: connection)
    }

    /// Closes the letters that are still open; returns their ids.
    private func take(_ lines: [RetriedLine]) throws(PostgresError) -> Set<String> {
        let taken = try connection.query(
            """
            UPDATE public.dead_letters
            SET state = 'retried', resolved_at = now()
            WHERE id = ANY ($1::uuid[]) AND state = 'open'
            RETURNING id::text
            """, parameters: [.array(lines.map(\.letter.id))])
        return Set((0..<taken.rowCount).compactMap { taken.string($0, 0) })
    }

    /// Keeps the lines' ledger rows until the end, so that nobody folds or joins the batches meanwhile. One a line, in their
    /// order.
    private func lockLedger(_ lines: [RetriedLine]) throws(PostgresError) -> [LedgerRow] {
        let sequences = lines.map { (spool: $0.letter.spoolID, sequence: $0.letter.sequence) }
        var looks = 0
        while true {
            let rows = try lockRows(of: sequences)
            looks += 1
            let found = sequences.compactMap { spool, sequence in
                rows[spool]?.last { $0.key.firstSequence <= sequence && $0.lastSequence >= sequence }
            }
            if found.count == sequences.count { return found }
            // A row may be joined with its neighbours while this waits for it; the next look finds the joined one.
            guard looks < Self.looksMax else {
                throw PostgresError(
                    code: .serverError, sqlState: SQLState(rawValue: "P0002"),
                    message: "the ledger lacks \(sequences.count - found.count) of these letters' batches",
                    hint: "Run `millrace verify`; the letters were left as they were.")
            }
        }
    }

    private func lockRows(
        of sequences: [(spool: UniqueID, sequence: UInt64)]
    ) throws(PostgresError) -> [UniqueID: [LedgerRow]] {
        let locked = try connection.query(
            """
            SELECT batch.spool_id::text, batch.first_seq, batch.last_seq, array_to_string(batch.folded, ',')
            FROM public.ingest_batches AS batch
            WHERE (batch.spool_id, batch.first_seq) IN (
                SELECT line.spool_id, latest.first_seq
                FROM unnest($1::uuid[], $2::bigint[]) AS line (spool_id, sequence)
                CROSS JOIN LATERAL (
                    SELECT first_seq
                    FROM public.ingest_batches
                    WHERE spool_id = line.spool_id AND first_seq <= line.sequence
                    ORDER BY first_seq DESC
                    LIMIT 1
                ) AS latest
            )
            ORDER BY batch.spool_id, batch.first_seq
            FOR UPDATE
            """,
            parameters: [.array(sequences.map { "\($0.spool)" }), .array(sequences.map(\.sequence))])
        var rows: [UniqueID: [LedgerRow]] = [:]
        for row in 0..<locked.rowCount {
            guard let spool = locked.string(row, 0).flatMap({ UniqueID($0) }) else { continue }
            let folded = (locked.string(row, 3) ?? "").split(separator: ",").compactMap { Int($0) }
            rows[spool, default: []].append(
                LedgerRow(
                    key: LedgerKey(spoolID: spool, firstSequence: UInt64(locked.count(row, 1))),
                    lastSequence: UInt64(locked.count(row, 2)), folded: folded.sorted()))
        }
        return rows
    }

    // MARK: - Rows

    /// Returns the letters whose rows went in.
    private func insert(_ lines: [RetriedLine]) throws(PostgresError) -> Set<String> {
        let written = try RowInsertion(connection: connection).insert(
            lines.map { line in
                RowInsertion.Item(
                    row: line.row, receivedAt: line.letter.receivedAt, tenant: line.letter.tenant,
                    batchID: line.letter.batchID)
            })
        return Set(written.map { lines[$0].letter.id })
    }

    // MARK: - The ledger

    /// Moves each line from one count of its batch to another.
    private func account(_ lines: [(RetriedLine, LedgerRow, isNew: Bool)]) throws(PostgresError) {
        let columns = [
            "refused", "dead", "conversation_dead", "rows", "conversation_rows", "duplicates",
            "conversation_duplicates",
        ]
        var changes: [LedgerKey: [String: Int]] = [:]
        for (line, row, isNew) in lines {
            var change = changes[row.key] ?? [:]
            change[line.letter.isRefused ? "refused" : "dead", default: 0] -= 1
            if line.letter.isDeadConversation { change["conversation_dead", default: 0] -= 1 }
            let count = isNew ? "rows" : "duplicates"
            change[count, default: 0] += 1
            if line.row.table == .conversations { change["conversation_\(count)", default: 0] += 1 }
            changes[row.key] = change
        }
        let ordered = Array(changes)
        let arrays = columns.indices.map { "$\($0 + 3)::integer[]" }.joined(separator: ", ")
        try connection.query(
            """
            UPDATE public.ingest_batches AS batch
            SET \(columns.map { "\($0) = batch.\($0) + change.\($0)" }.joined(separator: ", "))
            FROM unnest($1::uuid[], $2::bigint[], \(arrays))
                AS change (spool_id, first_seq, \(columns.joined(separator: ", ")))
            WHERE batch.spool_id = change.spool_id AND batch.first_seq = change.first_seq
            """,
            parameters: [.array(ordered.map { "\($0.key.spoolID)" }), .array(ordered.map(\.key.firstSequence))]
                + columns.map { column in .array(ordered.map { $0.value[column] ?? 0 }) })
    }

    // MARK: - Projections

    private func fold(_ lines: [(RetriedLine, LedgerRow)]) throws {
        let groups = Dictionary(grouping: lines) { $0.1.folded }
        let versions = try PackVersion.all(connection)
        try connection.execute("SET LOCAL millrace.slot = \(Rebuild.slot)")
        for (ids, members) in groups.sorted(by: { $0.key.lexicographicallyPrecedes($1.key) }) {
            let targets = try versions.filter { ids.contains(Int($0.id)) }.map(target)
            let fold = BatchFold(slot: Rebuild.slot)
            fold.begin(targets, gathersSaves: true)
            for table in PartitionedTable.allCases {
                let own = members.map(\.0).filter { $0.row.table == table }
                if !own.isEmpty { try read(own, of: table) { fold.add(table, rows: $0) } }
            }
            let batchIDs = Set(members.map { $0.0.letter.batchID })
            try ConversationStatuses(batchID: nil, on: connection).settle(fold)
            let outcome = try fold.apply(batchID: Int64(batchIDs.first ?? 0), on: connection)
            if let failure = outcome.failures.first { throw failure.error }
            if outcome.parkedCount > 0, batchIDs.count > 1 { throw ParkedOfSeveralBatches() }
        }
    }

    private func target(of version: PackVersion) throws -> FoldTarget {
        guard let pack = packs.first(where: version.isMade(from:)) else {
            throw LetterRetryRefusal(
                message: "the letter's batch is in version \(version.version) of pack \(version.pack), whose files are "
                    + "not those of projections.packs. Run `millrace projections rebuild \(version.pack)` first, or retry "
                    + "with the files that made it")
        }
        return try FoldTarget.load(versionID: version.id, schema: version.schema, pack: pack, on: connection)
    }

    /// The rows as the writers fold them.
    private func read(
        _ lines: [RetriedLine], of table: PartitionedTable, _ row: (UnsafeRawBufferPointer) -> Void
    ) throws(PostgresError) {
        let times = lines.map(\.row.createdAt.microseconds)
        let columns = table.columns.map { "stored.\($0)" }.joined(separator: ", ")
        try connection.copyOut(
            """
            COPY (
                SELECT \(columns)
                FROM unnest(
                    '{\(lines.map { "\($0.row.id)" }.joined(separator: ","))}'::uuid[],
                    '{\(times.map { String($0) }.joined(separator: ","))}'::bigint[]
                ) AS line (id, time)
                JOIN public.\(table.rawValue) AS stored
                    ON stored.id = line.id AND stored.created_at = \(RowInsertion.time("line.time"))
                WHERE stored.created_at BETWEEN \(RowInsertion.time("\(times.min() ?? 0)")) AND \(RowInsertion.time("\(times.max() ?? 0)"))
            ) TO STDOUT (FORMAT binary)
            """
        ) { bytes in
            row(bytes)
            return true
        }
    }
}
