internal import MillracePostgres

/// Writes rows of a result as JSON objects, a member a column, in the order of the columns.
struct ResultRows {
    private let names: [String]
    private let encodings: [ColumnEncoding]

    /// The first `count` columns; nil: all.
    init(_ result: borrowing PostgresResult, count: Int? = nil) {
        let columns = result.columns
        names = Array(columns.prefix(count ?? columns.count))
        encodings = result.columnTypes.prefix(names.count).map { ColumnEncoding(typeID: $0) }
    }

    func write(_ row: Int, of result: borrowing PostgresResult, to json: inout JSONWriter) {
        json.separate()
        json.append(raw: "{")
        for column in names.indices {
            json.append(name: names[column])
            result.withBytes(row, column) { value in
                if let value { encodings[column].write(value, to: &json) } else { json.append(raw: "null") }
            }
        }
        json.append(raw: "}")
    }
}
