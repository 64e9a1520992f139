import MillracePostgres

/// A month's table as it lies on disk, some of its pages at a time: each row is read once, whatever its batch.
struct LeafPages {
    /// Rows aimed at.
    private static let rowsAim = 30_000
    /// Of PostgreSQL's pages; a page holds 291 rows at most.
    private static let blocksMax = 4096

    private let end: Int
    private var next = 0
    private var blocks = 128

    /// `leaf`: with its schema. In a transaction that sees one moment: rows that come later are behind the end or unseen.
    init(_ leaf: String, connection: PostgresConnection) throws(PostgresError) {
        let size = try connection.execute(
            "SELECT pg_relation_size('\(leaf.replacing("'", with: "''"))') / current_setting('block_size')::bigint")
        end = size.int(0, 0) ?? 0
    }

    /// Which rows come next, as a condition; nil behind the last page.
    mutating func take() -> String? {
        guard next < end else { return nil }
        let first = next
        next += blocks
        return "ctid >= '(\(first),0)'::tid AND ctid < '(\(next),0)'::tid"
    }

    /// The page had so many rows: the next one is made larger or smaller.
    mutating func adapt(to rows: Int) {
        blocks = min(max(1, blocks * Self.rowsAim / max(rows, Self.rowsAim / 4)), Self.blocksMax)
    }
}
