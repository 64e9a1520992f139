internal import MillraceChannels
import MillraceEvent
import MillracePostgres
import MillraceProjections
import MillraceTelemetry

/// Puts one batch into PostgreSQL in one transaction, exactly once. Blocking; lives on a writer's thread.
///
/// The transaction, in order:
/// 1. `pg_advisory_xact_lock(spool, writer)`: proves that an earlier backend of this writer is gone;
/// 2. the ledger is asked whether it holds these sequences: a COMMIT whose answer was lost is seen here, never guessed;
/// 3. rows by binary COPY into each leaf, a part of the batch at a time, since only a part is held in memory; 4. dead
/// letters; 5. the status of conversations, and the projections' deltas, of the rows that went in;
/// 6. a look whether the tables that were filled are still partitions; the ledger row, with the versions the batch is
/// folded into; COMMIT.
///
/// On a unique violation or a refused row everything is rolled back and the batch goes through `StagedCopy` instead. Rows
/// that are refused there become dead letters when others go into the same table; else the batch is not written.
final class BatchWriter {
    /// A batch in the ledger.
    struct Committed {
        var batchID: Int64
        var outcome: BatchOutcome
        /// Where the log ended right after the commit, and where it was flushed then.
        var position: LogPosition
        /// When its lines were received.
        var arrivals: [Arrival]
        /// Versions of packs that the batch is not in.
        var omissions: [BatchProjection.Omission] = []
        /// Rows that became dead letters now; one stands for all.
        var refused: (count: Int, example: StagedCopy.RefusedRow)?
    }

    enum Result {
        case committed(Committed)
        /// The ledger holds these parts of the batch already, under other borders, and the tables their lines; nothing was
        /// written.
        case overlap([Range<UInt64>])
    }

    private let reader: BatchReader
    private let spool: any SpoolReader
    private let lockKeys: AdvisoryLockKeys
    private let index: Int
    private let partitions: LeafPartitions
    /// Longest wait for a lock.
    var lockTimeout: Duration
    /// Tables of months that the batch under way has filled.
    private var tablesFilled: Set<String> = []
    /// Rows that the batch under way has put into each table, by the careful way or not.
    private var rowsIn: [PartitionedTable: Int] = [:]
    /// The first refusal of a row of each table in the batch under way.
    private var refusals: [PartitionedTable: PostgresError] = [:]
    /// Of the extents that are in memory at a time; a single larger one is a part of its own.
    var partBytesMax: Int
    private var projection: BatchProjection
    /// What the projections may hold of a batch, besides twice its own bytes; a single extent's whatever it is.
    private static let foldedBytesMin = 32 << 20
    /// What a COMMIT would have meant whose answer was lost.
    private var unanswered: (batchID: Int64, outcome: BatchOutcome, arrivals: [Arrival])?

    /// Sessions with the same slot wait for each other's counters.
    private static let slotCount = 16

    init(
        spool: any SpoolReader, index: Int, partitions: LeafPartitions, packs: [PackDefinition] = [],
        partBytesMax: Int, lockTimeout: Duration = .seconds(10)
    ) {
        self.spool = spool
        self.index = index
        self.partitions = partitions
        self.partBytesMax = partBytesMax
        self.lockTimeout = lockTimeout
        reader = BatchReader(spool: spool)
        lockKeys = AdvisoryLockKeys(spool: spool.spoolID)
        let slot = Int(UInt32(bitPattern: lockKeys.writerKey) % UInt32(Self.slotCount)) + index
        projection = BatchProjection(packs: packs, slot: slot % Self.slotCount)
    }

    /// Of the part that was read last: which leaves it has rows for.
    var leaves: [EncodedLeaf] { reader.encoder.leaves }

    /// Writes `batch`. `awaited`: those of its lines that someone waits for, who get reports; then the commit waits for the
    /// log's flush. Throws `BatchOverfull`
    /// when its halves are to be written instead, `TableRefusal` when all rows of a table are refused and `care` knows of
    /// none that it takes, and `SequenceConflict` when the ledger holds sequences of the batch and the tables other lines
    /// for them.
    func write(
        _ batch: Batch, awaited: [CommitBoard.Awaited], care: BatchCare = .full, on connection: PostgresConnection,
        metrics: WriterMetrics
    ) throws -> Result {
        let first = batch.sequences.lowerBound
        let batchID = BatchID.make(spool: spool.spoolID, firstSequence: first, at: .now)
        do {
            return try transact(batch, batchID, awaited: awaited, care, isStaged: false, on: connection, metrics)
        } catch let error as PostgresError where care.isCareful(after: error, on: connection) {
            metrics.stagedBatches.add(1)
            return try transact(batch, batchID, awaited: awaited, care, isStaged: true, on: connection, metrics)
        }
    }

    private func transact(
        _ batch: Batch, _ batchID: Int64, awaited: [CommitBoard.Awaited], _ care: BatchCare, isStaged: Bool,
        on connection: PostgresConnection, _ metrics: WriterMetrics
    ) throws -> Result {
        do {
            if let known = try begin(batch, isDurable: !awaited.isEmpty, on: connection) {
                if case .overlap(let covered) = known {
                    try OverlapAudit(reader: reader, spoolID: spool.spoolID, connection: connection).check(
                        batch, covered: covered, partBytesMax: partBytesMax)
                }
                return known
            }
            var encoded = EncodedBatch(batchID: batchID)
            var outcome = BatchOutcome(sequences: batch.sequences)
            var refused: [StagedCopy.RefusedRow] = []
            var letters: [DeadLetter] = []
            tablesFilled = []
            rowsIn = [:]
            refusals = [:]
            var copyDuration = Duration.zero
            for part in batch.parts(bytesMax: partBytesMax) {
                try reader.read(part, into: &encoded)
                let start = ContinuousClock.now
                let leaves = reader.encoder.leaves
                if partitions.hasDoubtful(leaves) { try partitions.look(on: connection) }
                for leaf in leaves {
                    let rows = try write(leaf, care, isStaged: isStaged, on: connection, &outcome)
                    if projection.isOverfull { throw BatchOverfull() }
                    letters += try self.letters(for: rows, in: batch)
                    refused += rows
                }
                copyDuration += start.duration(to: .now)
            }
            copyDuration -= projection.duration
            try requireTakers(care, on: connection)
            letters = encoded.letters + letters
            outcome.count(letters: letters, of: encoded)
            try DeadLetterCopy.write(letters, batchID: batchID, spool: spool.spoolID, on: connection)
            let folded = try projection.apply(batchID: batchID, on: connection)
            if !awaited.isEmpty {
                var reports = BatchReports(on: batch, awaited: awaited)
                reports.add(letters)
                if folded.parkedCount > 0 || !outcome.duplicateSequences.isEmpty {
                    try addParked(
                        to: &reports, of: batch, outcome, duplicatesOnly: folded.parkedCount == 0, on: connection)
                }
                outcome.add(reports)
            }
            let commitStart = ContinuousClock.now
            let position = try commit(outcome, encoded, folded: folded.folded, on: connection)
            metrics.onBatch(
                BatchDurations(
                    copy: copyDuration, projection: projection.duration,
                    commit: commitStart.duration(to: .now)), batch.count)
            metrics.parked.add(folded.parkedCount)
            if !projection.omissions.isEmpty { metrics.unfoldedBatches.add(1) }
            return .committed(
                Committed(
                    batchID: batchID, outcome: outcome, position: position, arrivals: encoded.arrivals,
                    omissions: projection.omissions, refused: refused.first.map { (refused.count, $0) }))
        } catch {
            if connection.isUsable { rollBack(connection) }
            throw error
        }
    }

    /// Reports those of the awaited lines that are parked, by this batch or, of duplicates, when they first came. Reads
    /// again what is not in memory any more.
    private func addParked(
        to reports: inout BatchReports, of batch: Batch, _ outcome: BatchOutcome, duplicatesOnly: Bool,
        on connection: PostgresConnection
    ) throws {
        let parts = batch.parts(bytesMax: partBytesMax)
        for part in parts where reports.wants(part) {
            if parts.count > 1 {
                var again = EncodedBatch(batchID: 0)
                try reader.read(part, into: &again)
            }
            for leaf in reader.encoder.leaves {
                try reports.addParked(leaf, outcome, duplicatesOnly: duplicatesOnly, projection, on: connection)
            }
        }
    }

    /// Returns the rows that don't go in.
    private func write(
        _ leaf: EncodedLeaf, _ care: BatchCare, isStaged: Bool, on connection: PostgresConnection,
        _ outcome: inout BatchOutcome
    ) throws -> [StagedCopy.RefusedRow] {
        let place = partitions.place(of: leaf.key)
        guard case .table(let table) = place else {
            let month = leaf.key.partitionMonth.map { "\($0)" } ?? ""
            return leaf.sequences(of: 0..<leaf.count).compactMap {
                StagedCopy.RefusedRow(sequence: $0, month: month, place: place)
            }
        }
        if leaf.key.partitionMonth != nil { tablesFilled.insert(table) }
        do {
            if isStaged || leaf.key.needsEventID { return try stage(leaf, in: table, care, on: connection, &outcome) }
            try copy(leaf, to: table, on: connection)
            rowsIn[leaf.key.table, default: 0] += leaf.count
            return []
        } catch var error as PostgresError where error.sqlState == .undefinedTable {
            // Not a month that is to be made, but one that is called otherwise now.
            let name = table.split(separator: ".").last.map { $0.filter { $0 != "\"" } } ?? ""
            if error.message.contains(name) { error.code = .partitionGone }
            throw error
        }
    }

    /// Puts rows in one by one where they are not there yet. Returns those that the database refuses.
    private func stage(
        _ leaf: EncodedLeaf, in table: String, _ care: BatchCare, on connection: PostgresConnection,
        _ outcome: inout BatchOutcome
    ) throws -> [StagedCopy.RefusedRow] {
        try connection.requireTwoPhases()
        var staged = StagedCopy(connection: connection, table: table, partitions: partitions, care: care)
        try staged.copy(leaf)
        outcome.countDuplicates(staged.duplicates, isConversations: leaf.key.table == .conversations)
        projection.add(leaf, without: Set(staged.duplicates + staged.refused.map(\.sequence)))
        rowsIn[leaf.key.table, default: 0] += staged.insertedCount
        if let refusal = staged.refusal, refusals[leaf.key.table] == nil { refusals[leaf.key.table] = refusal }
        return staged.refused
    }

    /// Throws unless each table that has refused rows takes others.
    private func requireTakers(_ care: BatchCare, on connection: PostgresConnection) throws {
        for (table, refusal) in refusals where rowsIn[table, default: 0] == 0 && !care.takers.contains(table) {
            if try !takesRows(table, on: connection) { throw TableRefusal(table: table, cause: refusal) }
        }
    }

    /// Whether the newest row of a table goes in once more, under another id; taken back at once. So a lone row that is
    /// refused does not wait for others to show that it is itself at fault.
    private func takesRows(_ table: PartitionedTable, on connection: PostgresConnection) throws -> Bool {
        let columns = table.encodedColumns
        let values = columns.replacing("id, tenant_id", with: "gen_random_uuid(), tenant_id", maxReplacements: 1)
        try connection.execute("SAVEPOINT millrace_probe")
        var count = 0
        do {
            count = try connection.execute(
                """
                INSERT INTO public.\(table.rawValue) (\(columns))
                SELECT \(values)
                FROM public.\(table.rawValue)
                ORDER BY created_at DESC
                LIMIT 1
                """
            ).affectedRows
            try connection.execute("SET CONSTRAINTS ALL IMMEDIATE")
        } catch {
            guard error.code == .serverError else { throw error }
            count = 0
        }
        try connection.execute("ROLLBACK TO SAVEPOINT millrace_probe")
        return count == 1
    }

    /// A connection that can't roll back is of no use any more.
    private func rollBack(_ connection: PostgresConnection) {
        do {
            try connection.execute("ROLLBACK")
        } catch {
            connection.close()
        }
    }

    /// Opens the transaction and takes the lock. Returns what is known when the ledger holds (part of) the batch.
    private func begin(
        _ batch: Batch, isDurable: Bool, on connection: PostgresConnection
    ) throws -> Result? {
        let sequences = batch.sequences
        var pipeline = PostgresPipeline(connection)
        try pipeline.send("BEGIN")
        try pipeline.send("SET LOCAL synchronous_commit = \(isDurable ? "on" : "off")")
        try pipeline.send("SET LOCAL lock_timeout = \(Self.milliseconds(lockTimeout))")
        try pipeline.send("SELECT pg_advisory_xact_lock(\(lockKeys.writerKey), \(index))")
        try projection.open(&pipeline)
        let opening = try pipeline.send(
            BatchStatements.opening,
            parameters: [.text("\(spool.spoolID)"), .integer(sequences.upperBound)])
        var latest: (last: UInt64, batchID: Int64)?
        var versions: [BatchProjection.Version] = []
        var gathersSaves = false
        try pipeline.finish { number, rows in
            guard number == opening else { return }
            if let last = rows.int(0, 0).flatMap({ UInt64(exactly: $0) }), let batchID = rows.int(0, 1) {
                latest = (last, Int64(batchID))
            }
            gathersSaves = rows.bool(0, 2) == true
            connection.hasCitus = rows.bool(0, 3) == true
            versions = (0..<rows.rowCount).compactMap { BatchProjection.Version(rows, $0, firstColumn: 4) }
        }
        let claim = BatchClaim(
            of: sequences, latest: latest, unanswered: unanswered.map { ($0.batchID, $0.outcome.sequences) })
        switch (claim, unanswered) {
        case (.free, _):
            let bytes = batch.extents.reduce(0) { $0 + $1.length }
            let bytesMax = batch.extents.count > 1 ? Self.foldedBytesMin + 2 * bytes : Int.max
            try projection.begin(versions, gathersSaves: gathersSaves, bytesMax: bytesMax, on: connection)
            return nil
        case (.committed, let (batchID, outcome, arrivals)?):
            let position = LogPosition(answer: try connection.execute("ROLLBACK; SELECT pg_current_wal_insert_lsn()"))
            return .committed(Committed(batchID: batchID, outcome: outcome, position: position, arrivals: arrivals))
        case (.committed, nil), (.overlap, _):
            let covered = try overlap(with: sequences, on: connection)
            try connection.execute("ROLLBACK")
            return .overlap(covered)
        }
    }

    private func overlap(with sequences: Range<UInt64>, on connection: PostgresConnection) throws -> [Range<UInt64>] {
        let rows = try connection.execute(LedgerRows.query(spool: spool.spoolID, overlapping: sequences))
        return LedgerRows.ranges(rows)
    }

    /// At least 1: 0 is no limit to the server.
    private static func milliseconds(_ duration: Duration) -> Int64 {
        max(1, duration.components.seconds * 1000 + duration.components.attoseconds / 1_000_000_000_000_000)
    }

    /// Folds each chunk while the server is at it, and while it is in the processor's cache.
    private func copy(_ leaf: EncodedLeaf, to table: String, on connection: PostgresConnection) throws {
        let copied = try connection.copyIn("COPY \(table) (\(leaf.key.columns)) FROM STDIN (FORMAT binary)") {
            (copy) throws(PostgresError) in
            try leaf.withChunks { (rows) throws(PostgresError) in
                try copy.write(rows.bytes)
                projection.add(leaf.key.table, rows)
            }
        }
        guard copied == leaf.count else {
            throw PostgresError(
                code: .rowsKeptOut, message: "COPY took \(copied) of \(leaf.count) rows into \(table), without an error"
            )
        }
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
        var look: Int?
        if !tablesFilled.isEmpty {
            look = try pipeline.send(
                BatchStatements.attachment, parameters: [.array(Array(tablesFilled)), .integer(tablesFilled.count)])
        }
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
        do {
            try pipeline.finish { number, answer in
                if number == end { position = LogPosition(answer: answer) }
            }
        } catch var error {
            if let look, pipeline.failedStatement == look, error.sqlState == SQLState(rawValue: "22012") {
                error.code = .partitionGone
                error.hint = "See `millrace partitions list`: somebody detached or dropped the month."
                error.message = "a table is no partition any more: \(tablesFilled.sorted().joined(separator: ", "))"
            }
            throw error
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
                code: row.code, sqlState: row.sqlState, constraint: row.constraint, message: row.message,
                line: found?.line, receivedAt: found?.header.receivedAt ?? .now
            )
        }
    }
}
