internal import MillraceEvent

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
        behind(key, in: &statement)
        statement.append("ORDER BY created_at DESC, id DESC")
        return statement
    }

    /// The first of the two conditions is for the indexes that know the time only, and for the months.
    func behind(_ key: [String?]?, in statement: inout SQLStatement) {
        guard let key else { return }
        let time = statement.bind(key[0], as: "timestamptz", named: "cursor")
        let id = statement.bind(key[1], as: "uuid", named: "cursor")
        statement.append("AND created_at <= \(time) AND (created_at, id) < (\(time), \(id))")
    }
}
