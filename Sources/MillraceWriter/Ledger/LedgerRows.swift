import MillraceEvent
import MillracePostgres

/// Reads ranges of sequences out of answers.
enum LedgerRows {
    /// Rows of (first sequence, last sequence).
    static func ranges(_ rows: borrowing PostgresResult) -> [Range<UInt64>] {
        var ranges: [Range<UInt64>] = []
        for row in 0..<rows.rowCount {
            guard let first = rows.int(row, 0), let last = rows.int(row, 1), first >= 0, last >= first else { continue }
            ranges.append(UInt64(first)..<UInt64(last) + 1)
        }
        return ranges
    }

    /// The rows of `spool` that hold sequences of `range`.
    static func query(spool: UniqueID, overlapping range: Range<UInt64>) -> String {
        """
        SELECT first_seq, last_seq
        FROM public.ingest_batches
        WHERE spool_id = '\(spool)' AND first_seq < \(range.upperBound) AND last_seq >= \(range.lowerBound)
        ORDER BY first_seq
        """
    }

    /// Those of `sequences` that are in no row of `spool`.
    static func query(spool: UniqueID, lacking sequences: [UInt64]) -> String {
        """
        SELECT sequence
        FROM unnest('{\(sequences.map(String.init).joined(separator: ","))}'::bigint[]) AS sequence
        WHERE NOT EXISTS (
            SELECT
            FROM (
                SELECT last_seq
                FROM public.ingest_batches
                WHERE spool_id = '\(spool)' AND first_seq <= sequence
                ORDER BY first_seq DESC
                LIMIT 1
            ) AS latest
            WHERE last_seq >= sequence
        )
        """
    }

    /// The ledger of `spool` from `sequence` on, neighbours merged by the server, so that the answer stays small.
    static func query(spool: UniqueID, from sequence: UInt64) -> String {
        """
        SELECT min(first_seq), max(last_seq)
        FROM (
            SELECT first_seq, last_seq, count(*) FILTER (WHERE is_start) OVER (ORDER BY first_seq) AS island
            FROM (
                SELECT first_seq, last_seq,
                    first_seq IS DISTINCT FROM lag(last_seq) OVER (ORDER BY first_seq) + 1 AS is_start
                FROM public.ingest_batches
                WHERE spool_id = '\(spool)' AND last_seq >= \(sequence)
            ) AS marked
        ) AS islands
        GROUP BY island
        ORDER BY 1
        """
    }
}
