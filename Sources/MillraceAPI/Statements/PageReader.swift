internal import MillraceChannels
internal import MillracePostgres
internal import NIOCore

/// Reads a page in one statement, row by row as they come: a page ends at `limit` rows, or earlier when its rows are
/// large, so that memory is bounded whatever clients ask for. It has one row at least, unless that is too large to be read.
struct PageReader: Sendable {
    let limit: Int
    /// A page that has become as large ends.
    let bytesMax: Int
    let memory: MemoryBudget
    /// How many of the last columns are the key and no part of the row.
    let keyCount: Int
    /// The column that is NULL in rows that are too large to be read, and in no others.
    var guardedColumn: Int?
    /// Rows before the first page.
    var offset = 0
    /// Whether the page is to know its rows apart.
    var keepsKeys = false
    /// The rows after `key` (nil: from the start) in order, without LIMIT.
    let statement: @Sendable (_ key: [String?]?) -> SQLStatement

    /// Adds rows to `page`; one that is full already only learns whether more follow. Blocks. Throws `MemoryShortage` where
    /// the rows are more than what is left of the budget.
    func read(after key: [String?]?, into page: Page = Page(), on connection: PostgresConnection) throws -> Page {
        var page = page
        let held = page.memory ?? MemoryReservation(memory, for: .pages)
        page.memory = held
        var wanted = statement(key)
        wanted.append("LIMIT \(limit - page.count + 1)")
        if key == nil, offset > 0 { wanted.append("OFFSET \(offset)") }
        var writer: ResultRows?
        try wanted.run(on: connection) { row in
            guard page.count < limit, page.rows.readableBytes < bytesMax else {
                page.next = page.last
                return false
            }
            // With the row as it came, twice: libpq's buffer, and its result.
            let bytes = page.rows.readableBytes + 3 * row.byteCount
            if bytes > MemoryBudget.freeBytes { try held.require(bytes) }
            let columns = row.columnCount - keyCount
            let key = (columns..<columns + keyCount).map { row.string(0, $0) }
            if let guardedColumn, row.withBytes(0, guardedColumn, { $0 == nil }) {
                // The page ends before it; one that begins with it says so.
                if page.count > 0 { page.next = page.last } else { page.unread = key }
                return false
            }
            let rows = writer ?? ResultRows(row, count: columns)
            writer = rows
            rows.write(0, of: row, to: &page.rows)
            page.count += 1
            page.last = key
            if keepsKeys { page.marks.append((key, page.rows.readableBytes)) }
            return true
        }
        return page
    }
}

extension PageReader {
    /// How many rows there are before `offset`, when there are none after it. Blocks.
    func count(on connection: PostgresConnection) throws -> Int {
        var counted = statement(nil)
        counted.text = "SELECT count(*) FROM (\(counted.text)) AS rows"
        return try counted.run(on: connection).count(0, 0)
    }
}

/// A page being written: rows as JSON until enough are there, and the key of the last one.
struct Page: Sendable {
    /// Objects separated by commas.
    var rows = ByteBuffer()
    var count = 0
    /// Key of the last row.
    var last: [String?]?
    /// The same, when more rows follow.
    var next: [String?]?
    /// Of each row its key, and where it ends, where the reader keeps them.
    var marks: [(key: [String?], end: Int)] = []
    /// Key of the row that would be the first and is too large to be read.
    var unread: [String?]?
    /// What the rows hold of the budget, until the connection has them.
    var memory: MemoryReservation?

    /// `next` of an answer: where it goes on. `prefix`: what the cursor holds besides the row's key.
    func cursor(_ question: PageCursor.Question, prefix: [String?] = []) -> String? {
        next.map { PageCursor(prefix + $0).text(question: question) }
    }
}
