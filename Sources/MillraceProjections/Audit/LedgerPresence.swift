internal import Algorithms
import MillracePostgres

/// Finds batches that the ledger lacks. In a transaction with one snapshot.
///
/// Joined batches can't be told apart: of those, rows beyond what the ledger says of the whole span are found.
struct LedgerPresence {
    /// Joined rows of the ledger, of all spools; spans don't overlap.
    private struct Span {
        var batchIDs: ClosedRange<Int64>
        /// As the ledger says.
        var rows: Int
        var rowsFound = 0
        /// Ascending: batches within it that have a row of their own. nil: not looked at yet.
        var plain: [Int64]?
    }

    /// Ledger rows that may be read for each batch asked for; beyond that, the batches are looked up one by one.
    private static let surplusMax = 4

    private let connection: PostgresConnection
    private let timeout: Duration
    /// Ascending.
    private var spans: [Span]

    init(connection: PostgresConnection, timeout: Duration) throws(PostgresError) {
        self.connection = connection
        self.timeout = timeout
        let rows = try connection.execute(
            """
            SELECT batch_id, last_batch_id, sum(rows)
            FROM public.ingest_batches
            WHERE last_batch_id IS NOT NULL
            GROUP BY batch_id, last_batch_id
            ORDER BY 1
            """, timeout: timeout)
        spans = (0..<rows.rowCount).compactMap { row in
            guard let first = rows.int(row, 0), let last = rows.int(row, 1), first <= last else { return nil }
            return Span(batchIDs: Int64(first)...Int64(last), rows: rows.int(row, 2) ?? 0)
        }
    }

    /// Of joined batches, the first id of each span in which more rows were found than the ledger has, and how many more.
    var surplus: [(batchID: Int64, rows: Int)] {
        spans.filter { $0.rowsFound > $0.rows }.map { ($0.batchIDs.lowerBound, $0.rowsFound - $0.rows) }
    }

    /// Those of the page's batches that are in no row of the ledger; counts rows of joined ones.
    mutating func missing(_ page: RowBatches) throws(PostgresError) -> [Int64] {
        let ids = page.ids
        for id in ids {
            guard let index = span(of: id) else { continue }
            if try !isPlain(id, within: index) { spans[index].rowsFound += page.count(of: id) }
        }
        return try missing(ids)
    }

    private mutating func isPlain(_ batchID: Int64, within index: Int) throws(PostgresError) -> Bool {
        if spans[index].plain == nil {
            let span = spans[index].batchIDs
            let rows = try connection.execute(
                """
                SELECT DISTINCT batch_id
                FROM public.ingest_batches
                WHERE batch_id BETWEEN \(span.lowerBound) AND \(span.upperBound) AND last_batch_id IS NULL
                ORDER BY 1
                """, timeout: timeout)
            spans[index].plain = (0..<rows.rowCount).compactMap { rows.int($0, 0).map { Int64($0) } }
        }
        guard let plain = spans[index].plain else { return false }
        let place = plain.partitioningIndex { $0 >= batchID }
        return place < plain.count && plain[place] == batchID
    }

    /// Those of `batchIDs` (sorted, each once) that are in no row of the ledger.
    private func missing(_ batchIDs: [Int64]) throws(PostgresError) -> [Int64] {
        var unknown = batchIDs.filter { span(of: $0) == nil }
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

    private func span(of batchID: Int64) -> Int? {
        let index = spans.partitioningIndex { $0.batchIDs.upperBound >= batchID }
        return index < spans.count && spans[index].batchIDs.contains(batchID) ? index : nil
    }
}
