import MillraceEvent
import MillracePostgres
import MillraceProjections
import Synchronization

/// Puts one batch into PostgreSQL in one transaction, exactly once. Blocking; lives on a writer's thread.
///
/// The transaction, in order:
/// 1. `pg_advisory_xact_lock(spool, writer)`: proves that an earlier backend of this writer is gone;
/// 2. the ledger is asked whether it holds these sequences: a COMMIT whose answer was lost is seen here, never guessed;
/// 3. rows by binary COPY into each leaf, a part of the batch at a time, since only a part is held in memory; 4. dead
/// letters; 5. the projections' deltas, of the rows that went in;
/// 6. the ledger row, with the versions the batch is folded into; COMMIT.
///
/// On a unique violation or a refused row everything is rolled back and the batch goes through `StagedCopy` instead.
final class BatchWriter {
    /// A batch in the ledger.
    struct Committed {
        var outcome: BatchOutcome
        /// Where the log ended right after the commit, and where it was flushed then.
        var position: LogPosition
        /// When its lines were received.
        var arrivals: [Arrival]
        /// Versions of packs that the batch is not in.
        var omissions: [BatchProjection.Omission] = []
    }

    enum Result {
        case committed(Committed)
        /// The ledger holds these parts of the batch already, under other borders, and the tables their lines; nothing was
        /// written.
        case overlap([Range<UInt64>])
    }

    private let reader: BatchReader
    private let spool: any SpoolReader
    private let lock: SpoolLock
    private let index: Int
    private let partitions: LeafPartitions
    /// Of the extents that are in memory at a time; a single larger one is a part of its own.
    private let partBytesMax: Int
    private var projection: BatchProjection
    /// What a COMMIT would have meant whose answer was lost.
    private var unanswered: (batchID: Int64, outcome: BatchOutcome, arrivals: [Arrival])?

    /// Sessions with the same slot wait for each other's counters.
    private static let slotCount = 16

    init(
        spool: any SpoolReader, index: Int, partitions: LeafPartitions, packs: [PackDefinition] = [],
        partBytesMax: Int
    ) {
        self.spool = spool
        self.index = index
        self.partitions = partitions
        self.partBytesMax = partBytesMax
        reader = BatchReader(spool: spool)
        lock = SpoolLock(spool: spool.spoolID)
        let slot = Int(UInt32(bitPattern: lock.writerKey) % UInt32(Self.slotCount)) + index
        projection = BatchProjection(packs: packs, slot: slot % Self.slotCount)
    }

    /// Of the part that was read last: which leaves it has rows for.
    var leaves: [EncodedLeaf] { reader.encoder.leaves }

    /// Writes `batch`; `isDurable` makes the commit wait for the log's flush (someone waits for it). Throws
    /// `SequenceConflict` when the ledger holds sequences of the batch and the tables other lines for them.
    func write(
        _ batch: Batch, isDurable: Bool, on connection: PostgresConnection, metrics: WriterMetrics
    ) throws -> Result {
        let first = batch.sequences.lowerBound
        let batchID = BatchID.make(spool: spool.spoolID, firstSequence: first, at: .now)
        do {
            return try transact(batch, batchID, isDurable: isDurable, isStaged: false, on: connection, metrics)
        } catch let error as PostgresError where error.category == .duplicate || error.category == .poison {
            metrics.stagedBatches.add(1, ordering: .relaxed)
            return try transact(batch, batchID, isDurable: isDurable, isStaged: true, on: connection, metrics)
        }
    }

    private func transact(
        _ batch: Batch, _ batchID: Int64, isDurable: Bool, isStaged: Bool, on connection: PostgresConnection,
        _ metrics: WriterMetrics
    ) throws -> Result {
        do {
            if let known = try begin(batch.sequences, isDurable: isDurable, on: connection) {
                if case .overlap(let covered) = known {
                    try OverlapAudit(reader: reader, spoolID: spool.spoolID, connection: connection).check(
                        batch, covered: covered, partBytesMax: partBytesMax)
                }
                return known
            }
            var encoded = EncodedBatch(batchID: batchID)
            var outcome = BatchOutcome(sequences: batch.sequences)
            var refused: [DeadLetter] = []
            var copyDuration = Duration.zero
            for part in batch.parts(bytesMax: partBytesMax) {
                try reader.read(part, into: &encoded)
                let start = ContinuousClock.now
                for leaf in reader.encoder.leaves {
                    if isStaged || leaf.key.needsEventID {
                        refused += try stage(leaf, of: batch, on: connection, &outcome)
                    } else {
                        try copy(leaf, on: connection)
                    }
                }
                copyDuration += start.duration(to: .now)
            }
            copyDuration -= projection.duration
            let letters = encoded.letters + refused
            outcome.settle(letters: letters, of: encoded)
            try DeadLetterCopy.write(letters, batchID: batchID, spool: spool.spoolID, on: connection)
            let folded = try projection.apply(batchID: batchID, on: connection)
            let commitStart = ContinuousClock.now
            let position = try commit(outcome, encoded, folded: folded.folded, on: connection)
            metrics.onBatch(
                BatchDurations(
                    copy: copyDuration, projection: projection.duration,
                    commit: commitStart.duration(to: .now)), batch.count)
            metrics.parked.add(folded.parkedCount, ordering: .relaxed)
            if !projection.omissions.isEmpty { metrics.unfoldedBatches.add(1, ordering: .relaxed) }
            return .committed(
                Committed(
                    outcome: outcome, position: position, arrivals: encoded.arrivals,
                    omissions: projection.omissions))
        } catch {
            if connection.isUsable { rollBack(connection) }
            throw error
        }
    }

    /// Puts rows in one by one where they are not there yet. Returns those that the database refuses.
    private func stage(
        _ leaf: EncodedLeaf, of batch: Batch, on connection: PostgresConnection, _ outcome: inout BatchOutcome
    ) throws -> [DeadLetter] {
        var staged = StagedCopy(connection: connection, table: partitions.table(for: leaf.key))
        try staged.copy(leaf)
        outcome.countDuplicates(staged.duplicates, isConversations: leaf.key.table == .conversations)
        projection.add(leaf, without: Set(staged.duplicates + staged.refused.map(\.sequence)))
        return try letters(for: staged.refused, in: batch)
    }

    /// A connection that can't roll back is of no use any more.
    private func rollBack(_ connection: PostgresConnection) {
        do {
            try connection.execute("ROLLBACK")
        } catch {
            connection.close()
        }
    }

    /// The ledger's last batch that begins before a sequence, and the versions; a row at least.
    private static let opening = """
        SELECT latest.*, \(BatchProjection.Version.columns(of: "version"))
        FROM (VALUES (1)) AS one (row)
        LEFT JOIN (
            SELECT last_seq, batch_id
            FROM public.ingest_batches
            WHERE spool_id = $1::uuid AND first_seq < $2::bigint
            ORDER BY first_seq DESC
            LIMIT 1
        ) AS latest ON true
        LEFT JOIN projections.versions AS version ON true
        """

    /// Opens the transaction and takes the lock. Returns what is known when the ledger holds (part of) the batch.
    private func begin(
        _ sequences: Range<UInt64>, isDurable: Bool, on connection: PostgresConnection
    ) throws -> Result? {
        var pipeline = PostgresPipeline(connection)
        try pipeline.send("BEGIN")
        try pipeline.send("SET LOCAL synchronous_commit = \(isDurable ? "on" : "off")")
        try pipeline.send("SELECT pg_advisory_xact_lock(\(lock.writerKey), \(index))")
        try projection.open(&pipeline)
        let opening = try pipeline.send(
            Self.opening,
            parameters: [.text("\(spool.spoolID)"), .integer(sequences.upperBound)])
        var latest: (lastSequence: Int, batchID: Int)?
        var versions: [BatchProjection.Version] = []
        try pipeline.finish { number, rows in
            guard number == opening else { return }
            if let lastSequence = rows.int(0, 0), let batchID = rows.int(0, 1) { latest = (lastSequence, batchID) }
            versions = (0..<rows.rowCount).compactMap { BatchProjection.Version(rows, $0, firstColumn: 2) }
        }
        guard let latest, latest.lastSequence >= Int(sequences.lowerBound) else {
            try projection.begin(versions, on: connection)
            return nil
        }
        let result: Result
        if let unanswered, latest.batchID == Int(unanswered.batchID), unanswered.outcome.sequences == sequences {
            let answer = try connection.execute("ROLLBACK; SELECT pg_current_wal_insert_lsn()")
            result = .committed(
                Committed(
                    outcome: unanswered.outcome, position: LogPosition(answer: answer), arrivals: unanswered.arrivals))
        } else {
            result = .overlap(try overlap(with: sequences, on: connection))
            try connection.execute("ROLLBACK")
        }
        return result
    }

    private func overlap(with sequences: Range<UInt64>, on connection: PostgresConnection) throws -> [Range<UInt64>] {
        let rows = try connection.execute(LedgerRows.query(spool: spool.spoolID, overlapping: sequences))
        return LedgerRows.ranges(rows)
    }

    /// Folds each chunk while the server is at it, and while it is in the processor's cache.
    private func copy(_ leaf: EncodedLeaf, on connection: PostgresConnection) throws {
        let table = partitions.table(for: leaf.key)
        let copied = try connection.copyIn("COPY \(table) (\(leaf.key.columns)) FROM STDIN (FORMAT binary)") {
            (copy) throws(PostgresError) in
            try leaf.withChunks { (rows) throws(PostgresError) in
                try copy.write(rows)
                projection.add(leaf.key.table, rows: rows)
            }
        }
        precondition(copied == leaf.count, "COPY took \(copied) of \(leaf.count) rows")
    }

    private func commit(
        _ outcome: BatchOutcome, _ encoded: EncodedBatch, folded: [Int32], on connection: PostgresConnection
    ) throws -> LogPosition {
        let batchID = encoded.batchID
        let events = outcome.events
        let conversations = outcome.conversations
        var pipeline = PostgresPipeline(connection)
        let counts = [
            events.committed + conversations.committed, events.duplicates + conversations.duplicates,
            events.dead + conversations.dead, outcome.refused, conversations.committed, conversations.duplicates,
            conversations.dead,
        ]
        try pipeline.send(
            """
            INSERT INTO public.ingest_batches (
                spool_id, first_seq, last_seq, batch_id, rows, duplicates, dead, refused,
                conversation_rows, conversation_duplicates, conversation_dead, folded
            ) VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12)
            """,
            parameters: [
                .text("\(spool.spoolID)"), .integer(outcome.sequences.lowerBound),
                .integer(outcome.sequences.upperBound - 1), .integer(batchID),
            ] + counts.map { .integer($0) } + [.text("{\(folded.map(String.init).joined(separator: ","))}")])
        try pipeline.send("COMMIT")
        let end = try pipeline.send("SELECT pg_current_wal_insert_lsn()")
        unanswered = (batchID, outcome, encoded.arrivals)
        var position: LogPosition?
        try pipeline.finish { number, answer in
            if number == end { position = LogPosition(answer: answer) }
        }
        unanswered = nil
        return position ?? LogPosition(bytes: .max)
    }

    /// Dead letters for rows that the database refused.
    private func letters(for refused: [StagedCopy.RefusedRow], in batch: Batch) throws -> [DeadLetter] {
        guard !refused.isEmpty else { return [] }
        let lines = try reader.lines(of: refused.map(\.sequence), in: batch)
        return refused.map { row in
            let found = lines[row.sequence]
            return DeadLetter(
                sequence: row.sequence, kind: found?.header.kind ?? .event, tenant: found?.header.tenant ?? 0,
                code: DeadLetter.databaseCode, sqlState: row.sqlState, message: row.message, line: found?.line,
                receivedAt: found?.header.receivedAt ?? .now
            )
        }
    }
}
