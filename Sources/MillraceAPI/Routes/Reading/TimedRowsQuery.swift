internal import Hummingbird
internal import MillraceEvent
internal import MillraceJSON

/// Rows of a partitioned table, the latest first: always within a time range, so that only its months are read, and in
/// the order of an index.
struct TimedRowsQuery: Sendable {
    /// With its schema.
    let table: String
    /// Of the answer.
    let columns: String
    let tenant: Int32
    let range: TimeRange
    /// Adds further conditions, each with AND.
    let conditions: @Sendable (inout SQLStatement) -> Void

    /// The key is (created_at, id).
    static let keyCount = 2

    func statement(after key: [String?]?) -> SQLStatement {
        var statement = SQLStatement("SELECT \(columns), created_at, id FROM \(table)")
        statement.append("WHERE " + range.condition(on: "created_at", in: &statement))
        statement.append("AND tenant_id = \(tenant)")
        conditions(&statement)
        after(key, in: &statement)
        statement.append("ORDER BY created_at DESC, id DESC")
        return statement
    }

    /// The first of the two conditions is for the indexes that know the time only, and for the months.
    func after(_ key: [String?]?, in statement: inout SQLStatement) {
        guard let key else { return }
        let time = statement.bind(key[0], as: "timestamptz", named: "cursor")
        let id = statement.bind(key[1], as: "uuid", named: "cursor")
        statement.append("AND created_at <= \(time) AND (created_at, id) < (\(time), \(id))")
    }
}

/// A row of a table that is read by time.
protocol TimedRow: RowShape {
    static var pageName: String { get }
    static var columns: RowColumns { get }
}

extension TimedRow {
    static var schema: JSONSchema { columns.schema }
}

extension CatalogTable.Column {
    static let id = Self(name: "id", type: "uuid", category: "U", isNotNull: true)
    static let userID = Self(name: "user_id", type: "uuid", category: "U", isNotNull: false)
    static let createdAt = Self(name: "created_at", type: "timestamp with time zone", category: "D", isNotNull: true)
    static let receivedAt = Self(name: "received_at", type: "timestamp with time zone", category: "D", isNotNull: true)
}

/// A page of them.
struct TimedPage<Row: TimedRow>: JSONShape {
    private var range: TimeRange
    private var items = RowList<Row>()
    private var next: String?

    static var name: String { Row.pageName }

    static var fields: [JSONField<Self>] {
        [
            JSONField("from", \.range.from, as: .time), JSONField("to", \.range.to, as: .time),
            JSONField("items", \.items), JSONField("next", \.next),
        ]
    }

    /// Throws where the page would begin with a row that can't be read.
    static func response(
        _ page: Page, _ range: TimeRange, _ parameters: RequestParameters
    ) throws(APIProblem) -> Response {
        if let row = page.unread {
            let next = PageCursor([range.from, range.to] + row).text(question: parameters.question)
            throw .rowTooLarge(row, next: next)
        }
        let next = page.cursor(parameters.question, prefix: [range.from, range.to])
        return Response(Self(range: range, next: next), rows: [page.rows], memory: page.memory)
    }
}
