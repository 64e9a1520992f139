internal import Algorithms
import MillracePostgres

/// Finds batches that the ledger lacks. In a transaction with one snapshot.
struct LedgerPresence {
    /// Ledger rows that may be read for each batch asked for; beyond that, the batches are looked up one by one.
    private static let surplusMax = 4

    private let connection: PostgresConnection
    private let timeout: Duration
    /// Of joined rows; they don't overlap.
    private let spans: [ClosedRange<Int64>]

    init(connection: PostgresConnection, timeout: Duration) throws(PostgresError) {
        self.connection = connection
        self.timeout = timeout
        let rows = try connection.execute(
            """
            SELECT DISTINCT batch_id, last_batch_id
            FROM public.ingest_batches
            WHERE last_batch_id IS NOT NULL
            ORDER BY 1
            """, timeout: timeout)
        spans = (0..<rows.rowCount).compactMap { row in
            guard let first = rows.int(row, 0), let last = rows.int(row, 1), first <= last else { return nil }
            return Int64(first)...Int64(last)
        }
    }

    /// Those of `batchIDs` (sorted, each once) that are in no row of the ledger.
    func missing(_ batchIDs: [Int64]) throws(PostgresError) -> [Int64] {
        var unknown = batchIDs.filter { !isInSpan($0) }
        // Neighbours in a table are neighbours in the ledger, except for a few that come from retried dead letters.
        let few = unknown.count / 50
        guard !unknown.isEmpty else { return [] }
        let (first, last) = (unknown[few], unknown[unknown.count - 1 - few])
        let limit = Self.surplusMax * unknown.count
        unknown = try without(
            """
            SELECT batch_id
            FROM public.ingest_batches
            WHERE batch_id BETWEEN \(first) AND \(last) AND last_batch_id IS NULL
            ORDER BY batch_id
            LIMIT \(limit)
            """, unknown)
        guard !unknown.isEmpty else { return [] }
        return try without(
            """
            SELECT batch_id
            FROM public.ingest_batches
            WHERE batch_id = ANY ('{\(unknown.map(String.init).joined(separator: ","))}') AND last_batch_id IS NULL
            ORDER BY batch_id
            """, unknown)
    }

    /// What of `batchIDs` the query does not answer; both are sorted.
    private func without(_ query: String, _ batchIDs: [Int64]) throws(PostgresError) -> [Int64] {
        let found = try connection.execute(query, timeout: timeout)
        var left: [Int64] = []
        var row = 0
        var known = found.rowCount > 0 ? found.int(0, 0) : nil
        for batchID in batchIDs {
            while let current = known, Int64(current) < batchID {
                row += 1
                known = row < found.rowCount ? found.int(row, 0) : nil
            }
            if known.map(Int64.init) != batchID { left.append(batchID) }
        }
        return left
    }

    private func isInSpan(_ batchID: Int64) -> Bool {
        let index = spans.partitioningIndex { $0.upperBound >= batchID }
        return index < spans.count && spans[index].contains(batchID)
    }
}
