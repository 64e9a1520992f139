import MillracePostgres

/// Committed batches in order of their ids, a page at a time.
struct BatchPages {
    /// Whether the version's id stands in the ledger rows that are wanted.
    enum Choice {
        case folded(Int32)
        case unfolded(Int32)

        fileprivate var condition: String {
            switch self {
            case .folded(let id): "folded @> ARRAY[\(id)]"
            case .unfolded(let id): "NOT folded @> ARRAY[\(id)]"
            }
        }
    }

    /// Some batches whose rows are read, folded and accounted for together.
    struct Page {
        var batches: [Int64]
        /// Events and conversations.
        var rows: Int
        var conversations: Int
    }

    /// Rows of a page, unless a single batch has more: what a fold holds in memory.
    private static let rowsMax = 20_000
    private static let batchesMax = 2000

    private let connection: PostgresConnection
    private let choice: Choice
    private let isLocked: Bool
    private var last = Int64.min

    /// `isLocked`: keeps each page's ledger rows as they are until the transaction ends.
    init(_ choice: Choice, isLocked: Bool, connection: PostgresConnection) {
        self.choice = choice
        self.isLocked = isLocked
        self.connection = connection
    }

    /// Starts again with the lowest id.
    mutating func rewind() { last = .min }

    /// nil behind the last page.
    mutating func next(timeout: Duration) throws(PostgresError) -> Page? {
        let found = try connection.execute(
            """
            SELECT batch_id, rows, conversation_rows
            FROM public.ingest_batches
            WHERE batch_id > \(last) AND \(choice.condition)
            ORDER BY batch_id
            LIMIT \(Self.batchesMax)
            """, timeout: timeout)
        var page = Page(batches: [], rows: 0, conversations: 0)
        for row in 0..<found.rowCount {
            let rows = found.int(row, 1) ?? 0
            guard page.batches.isEmpty || page.rows + rows <= Self.rowsMax else { break }
            page.batches.append(Int64(found.int(row, 0) ?? 0))
            page.rows += rows
            page.conversations += found.int(row, 2) ?? 0
        }
        guard let end = page.batches.last else { return nil }
        last = end
        return isLocked ? try locked(page) : page
    }

    /// What of the page is still as chosen, and stays so. A dead letter that is retried adds a row to a batch, and folds
    /// it into the versions that the ledger names; so the counts are read again.
    private func locked(_ page: Page) throws(PostgresError) -> Page {
        let found = try connection.execute(
            """
            SELECT batch_id, rows, conversation_rows
            FROM public.ingest_batches
            WHERE batch_id = ANY ('{\(page.batches.map(String.init).joined(separator: ","))}') AND \(choice.condition)
            ORDER BY batch_id
            FOR UPDATE
            """)
        var locked = Page(batches: [], rows: 0, conversations: 0)
        for row in 0..<found.rowCount {
            locked.batches.append(Int64(found.int(row, 0) ?? 0))
            locked.rows += found.int(row, 1) ?? 0
            locked.conversations += found.int(row, 2) ?? 0
        }
        return locked
    }
}
