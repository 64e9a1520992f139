internal import MillracePostgres

/// Reads a page in a few statements, each behind the last row of the one before it: a page ends at `limit` rows, or
/// earlier when its rows are large, so that memory is bounded whatever clients ask for.
struct PageReader: Sendable {
    /// Rows of the first statement; each further one takes at most four times as many as the one before it.
    private static let firstRows = 50

    let limit: Int
    /// A page that has become as large ends.
    let bytesMax: Int
    /// How many of the last columns are the key and no part of the row.
    let keyCount: Int
    /// The rows behind `key` (nil: from the start) in order, without LIMIT.
    let statement: @Sendable (_ key: [String?]?) -> SQLStatement

    /// Adds rows to `page`; one that is full already only learns whether more follow. Blocks.
    func read(after key: [String?]?, into page: Page = Page(), on connection: PostgresConnection) throws -> Page {
        var page = page
        var key = key
        var rows = min(limit - page.count, Self.firstRows)
        while true {
            var wanted = statement(key)
            wanted.append("LIMIT \(rows + 1)")
            let result = try wanted.run(on: connection)
            let columns = result.columns.count - keyCount
            let writer = ResultRows(result, count: columns)
            for row in 0..<min(rows, result.rowCount) {
                writer.write(row, of: result, to: &page.rows)
                page.count += 1
                key = (columns..<columns + keyCount).map { result.string(row, $0) }
                page.last = key
                if page.rows.bytes.count >= bytesMax {
                    page.next = row + 1 < result.rowCount ? key : nil
                    return page
                }
            }
            guard result.rowCount > rows else { return page }
            guard page.count < limit else {
                page.next = page.last
                return page
            }
            let average = max(1, page.rows.bytes.count / page.count)
            rows = min(limit - page.count, rows * 4, max(1, (bytesMax - page.rows.bytes.count) / average))
        }
    }
}
