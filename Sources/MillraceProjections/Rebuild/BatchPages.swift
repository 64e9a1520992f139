import MillracePostgres

/// Committed batches that a version lacks, in order of their ids, a page at a time. A page is some plain rows of the
/// ledger, or all the joined rows of one span, whose batches nobody can tell apart.
struct BatchPages {
    /// Some batches whose rows are read, folded and accounted for together.
    struct Page {
        /// Of plain rows, ascending; empty for a span.
        var plain: [Int64] = []
        var span: ClosedRange<Int64>?
        /// How many they are.
        var batches = 0
        /// Events and conversations.
        var rows = 0
        var conversations = 0

        /// nil for an empty page.
        var batchIDs: ClosedRange<Int64>? {
            if let span { return span }
            guard let first = plain.first, let last = plain.last else { return nil }
            return first...last
        }

        /// Which rows of the ledger it is, as a condition.
        var ledgerRows: String {
            if let span { return "batch_id = \(span.lowerBound) AND last_batch_id = \(span.upperBound)" }
            return "last_batch_id IS NULL AND batch_id = ANY ('\(list)')"
        }

        /// Which rows of the partitioned tables are its batches', as a condition.
        var tableRows: String {
            guard let batchIDs else { return "false" }
            let within = "batch_id BETWEEN \(batchIDs.lowerBound) AND \(batchIDs.upperBound)"
            // An expression, so that the list is hashed once: the BRIN index would be walked once for each of its members.
            guard span != nil else { return "\(within) AND batch_id + 0 = ANY ('\(list)')" }
            return """
                \(within) AND batch_id NOT IN (
                    SELECT batch_id FROM public.ingest_batches WHERE last_batch_id IS NULL AND \(within)
                )
                """
        }

        private var list: String { "{\(plain.map(String.init).joined(separator: ","))}" }
    }

    /// Rows of a page, unless a single batch or span has more: what a fold holds in memory.
    private static let rowsMax = 20_000
    private static let batchesMax = 20_000

    private let connection: PostgresConnection
    private let versionID: Int32
    private var last = Int64.min

    /// `version`: the id of the one that lacks them.
    init(unfolded version: Int32, connection: PostgresConnection) {
        versionID = version
        self.connection = connection
    }

    /// Locks the page's ledger rows until the transaction ends; nil after the last page.
    mutating func next(timeout: Duration) throws(PostgresError) -> Page? {
        let found = try connection.execute(
            """
            SELECT batch_id, last_batch_id, rows
            FROM public.ingest_batches
            WHERE batch_id > \(last) AND NOT folded @> ARRAY[\(versionID)]
            ORDER BY batch_id, last_batch_id NULLS LAST
            LIMIT \(Self.batchesMax)
            """, timeout: timeout)
        var page = Page()
        for row in 0..<found.rowCount {
            let batchID = Int64(found.int(row, 0) ?? 0)
            let rows = found.int(row, 2) ?? 0
            if let end = found.int(row, 1) {
                if page.plain.isEmpty { page.span = batchID...max(batchID, Int64(end)) }
                break
            }
            guard page.plain.isEmpty || page.rows + rows <= Self.rowsMax else { break }
            page.plain.append(batchID)
            page.rows += rows
        }
        guard let batchIDs = page.batchIDs else { return nil }
        // Plain rows may lie within a span.
        last = page.span?.lowerBound ?? batchIDs.upperBound
        return try locked(page, timeout: timeout)
    }

    /// What of the page is still as chosen, and stays so. A dead letter that is retried adds a row to a batch, and folds
    /// it into the versions that the ledger names; so the counts are read again.
    private func locked(_ page: Page, timeout: Duration) throws(PostgresError) -> Page {
        let found = try connection.execute(
            """
            SELECT batch_id, rows, conversation_rows, batches
            FROM public.ingest_batches
            WHERE \(page.ledgerRows) AND NOT folded @> ARRAY[\(versionID)]
            ORDER BY batch_id
            FOR UPDATE
            """, timeout: timeout)
        var locked = Page()
        guard found.rowCount > 0 else { return locked }
        locked.span = page.span
        for row in 0..<found.rowCount {
            if page.span == nil { locked.plain.append(Int64(found.int(row, 0) ?? 0)) }
            locked.rows += found.int(row, 1) ?? 0
            locked.conversations += found.int(row, 2) ?? 0
            locked.batches += found.int(row, 3) ?? 0
        }
        return locked
    }
}
