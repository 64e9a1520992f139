import MillraceEvent
import MillracePostgres

/// A month's table, some of its rows at a time: each is read once, whatever its batch. As it lies on disk; of a table that is
/// spread over workers by time.
struct LeafPages {
    /// How many rows a page should have.
    private static let rowsAim = 30_000
    /// Of PostgreSQL's pages; a page holds 291 rows at most.
    private static let blocksMax = 4096
    /// Microseconds: a month.
    private static let timeMax = 31 * 86_400_000_000

    private let isDistributed: Bool
    private let end: Int
    private var next = 0
    private var size: Int

    /// `leaf`: with its schema. In a transaction that sees one moment: rows that come later lie after the end or aren't
    /// seen.
    ///
    /// - Parameter blocks: of the first page, where the table is on this server.
    init(_ leaf: String, connection: PostgresConnection, blocks: Int = 128) throws(PostgresError) {
        isDistributed = try CitusCatalog(connection)?.isDistributed(leaf) ?? false
        guard isDistributed else {
            let found = try connection.execute(
                "SELECT pg_relation_size('\(leaf.replacing("'", with: "''"))') / current_setting('block_size')::bigint")
            end = found.int(0, 0) ?? 0
            size = blocks
            return
        }
        let found = try connection.execute(
            """
            SELECT
                (extract(epoch FROM min(created_at)) * 1000000)::bigint,
                (extract(epoch FROM max(created_at)) * 1000000)::bigint,
                count(*)
            FROM \(leaf)
            """)
        next = found.int(0, 0) ?? 0
        end = found.int(0, 1).map { $0 + 1 } ?? 0
        size = Self.timeMax
        adapt(to: found.count(0, 2), in: end - next)
    }

    /// How far it is, of how much: pages of PostgreSQL, or microseconds.
    var progress: (done: Int, of: Int) { (min(next, end), end) }

    /// Which rows come next, as a condition on the table by the name of `stored`; nil after the last page.
    mutating func take() -> String? {
        guard next < end else { return nil }
        let first = next
        next += size
        guard isDistributed else { return "stored.ctid >= '(\(first),0)'::tid AND stored.ctid < '(\(next),0)'::tid" }
        return "stored.created_at >= '\(Self.time(first))' AND stored.created_at < '\(Self.time(next))'"
    }

    /// The page had so many rows: the next one is made larger or smaller.
    mutating func adapt(to rows: Int) {
        adapt(to: rows, in: size)
    }

    /// `span`: what had so many rows.
    private mutating func adapt(to rows: Int, in span: Int) {
        let max = isDistributed ? Self.timeMax : Self.blocksMax
        size = Swift.min(Swift.max(1, span * Self.rowsAim / Swift.max(rows, Self.rowsAim / 4)), max)
    }

    private static func time(_ microseconds: Int) -> String { Timestamp(microseconds: Int64(microseconds)).rfc3339 }
}
