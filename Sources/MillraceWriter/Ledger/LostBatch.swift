internal import MillraceChannels
import MillraceEvent
import MillracePostgres

/// Ledger rows without a batch: for sequences that never become rows.
enum LostBatch {
    /// Enters sequences whose bytes can't be read back: one dead letter that stands for all of them, and a ledger row.
    /// Blocking. Returns the end of the log after the commit.
    static func write(
        _ lost: LostSequences, spool: UniqueID, on connection: PostgresConnection
    ) throws(PostgresError) -> LogPosition {
        try connection.transaction { () throws(PostgresError) in
            for range in try missing(lost.sequences, spool: spool, on: connection) {
                let batchID = BatchID.make(spool: spool, firstSequence: range.lowerBound, at: .now)
                let part = LostSequences(sequences: range, reason: lost.reason)
                try DeadLetterCopy.write(
                    [DeadLetter(part, kind: .event)], batchID: batchID, spool: spool, on: connection)
                try insert(range, batchID: batchID, dead: range.count, spool: spool, on: connection)
            }
        }
        return LogPosition(answer: try connection.execute("SELECT pg_current_wal_insert_lsn()"))
    }

    /// Enters sequences that no line has.
    static func write(
        skipped sequences: Range<UInt64>, spool: UniqueID, on connection: PostgresConnection
    ) throws(PostgresError) -> LogPosition {
        try connection.transaction { () throws(PostgresError) in
            for range in try missing(sequences, spool: spool, on: connection) {
                let batchID = BatchID.make(spool: spool, firstSequence: range.lowerBound, at: .now)
                try insert(range, batchID: batchID, skipped: range.count, spool: spool, on: connection)
            }
        }
        return LogPosition(answer: try connection.execute("SELECT pg_current_wal_insert_lsn()"))
    }

    /// The parts of `range` that the ledger does not hold.
    private static func missing(
        _ range: Range<UInt64>, spool: UniqueID, on connection: PostgresConnection
    ) throws(PostgresError) -> [Range<UInt64>] {
        let known = try connection.execute(LedgerRows.query(spool: spool, overlapping: range))
        return SequenceSet(LedgerRows.ranges(known)).gaps(in: range)
    }

    private static func insert(
        _ range: Range<UInt64>, batchID: Int64, dead: Int = 0, skipped: Int = 0, spool: UniqueID,
        on connection: PostgresConnection
    ) throws(PostgresError) {
        try connection.execute(
            """
            INSERT INTO public.ingest_batches (
                spool_id, first_seq, last_seq, batch_id, rows, duplicates, dead, skipped
            ) VALUES (
                '\(spool)', \(range.lowerBound), \(range.upperBound - 1), \(batchID), 0, 0, \(dead), \(skipped)
            )
            """
        )
    }
}
