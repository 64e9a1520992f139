import MillraceEvent
import MillracePostgres

/// Ledger rows without a batch: for sequences that never become rows.
enum LostBatch {
    /// Settles sequences whose bytes can't be read back: one dead letter that stands for all of them, and a ledger row.
    /// Blocking. Returns the end of the log after the commit.
    static func write(
        _ lost: LostSequences, spool: UniqueID, on connection: PostgresConnection
    ) throws(PostgresError) -> LogPosition {
        let batchID = BatchID.make(spool: spool, firstSequence: lost.sequences.lowerBound, at: .now)
        try connection.transaction { () throws(PostgresError) in
            try DeadLetterCopy.write(
                [DeadLetter(lost, kind: .event)], batchID: batchID, spool: spool, on: connection)
            try insert(lost.sequences, batchID: batchID, dead: lost.sequences.count, spool: spool, on: connection)
        }
        return LogPosition(answer: try connection.execute("SELECT pg_current_wal_insert_lsn()"))
    }

    /// Settles sequences that no line has.
    static func write(
        skipped range: Range<UInt64>, spool: UniqueID, on connection: PostgresConnection
    ) throws(PostgresError) -> LogPosition {
        let batchID = BatchID.make(spool: spool, firstSequence: range.lowerBound, at: .now)
        try insert(range, batchID: batchID, skipped: range.count, spool: spool, on: connection)
        return LogPosition(answer: try connection.execute("SELECT pg_current_wal_insert_lsn()"))
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

extension LogPosition {
    /// From an answer of one row and one column. What is no position counts as flushed only with everything else.
    init(answer: borrowing PostgresResult) {
        self = answer.string(0, 0).flatMap { LogPosition($0) } ?? LogPosition(bytes: .max)
    }
}
