import MillraceEvent
import MillracePostgres

/// Settles sequences whose bytes can't be read back: one dead letter that stands for all of them, and a ledger row.
enum LostBatch {
    /// Blocking. Returns the end of the log after the commit.
    static func write(
        _ lost: LostSequences, spool: UniqueID, on connection: PostgresConnection
    ) throws(PostgresError) -> LogPosition {
        let first = lost.sequences.lowerBound
        let batchID = BatchID.make(spool: spool, firstSequence: first, at: .now)
        let letter = DeadLetter(lost, kind: .event)
        try connection.transaction { () throws(PostgresError) in
            try DeadLetterCopy.write([letter], batchID: batchID, spool: spool, on: connection)
            try connection.execute(
                """
                INSERT INTO public.ingest_batches (spool_id, first_seq, last_seq, batch_id, rows, duplicates, dead)
                VALUES (
                    '\(spool)', \(first), \(lost.sequences.upperBound - 1), \(batchID), 0, 0, \(lost.sequences.count)
                )
                """
            )
        }
        return LogPosition(answer: try connection.execute("SELECT pg_current_wal_insert_lsn()"))
    }
}

extension LogPosition {
    /// From an answer of one row and one column; the beginning of the log when it is none, so that it counts as flushed
    /// only with everything else.
    init(answer: borrowing PostgresResult) {
        self = answer.string(0, 0).flatMap { LogPosition($0) } ?? LogPosition(bytes: .max)
    }
}
