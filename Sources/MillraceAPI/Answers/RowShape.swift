internal import MillraceJSON
internal import MillracePostgres

/// Rows that stream from PostgreSQL into an answer, as its description has them.
protocol RowShape: Sendable {
    static var schema: JSONSchema { get }
}

/// The place of an answer's rows: an array that is sent as it was written.
struct RowList<Row: RowShape>: JSONWritable {
    static var schema: JSONSchema { .array(of: Row.schema) }

    func write(to json: inout JSONWriter) {
        json.append(raw: "[")
        json.appendGap()
        json.append(raw: "]")
    }
}

/// The place of one row.
struct SingleRow<Row: RowShape>: JSONWritable {
    static var schema: JSONSchema { Row.schema }

    func write(to json: inout JSONWriter) {
        json.appendGap()
    }
}

/// Columns of a table that are selected and described by one list.
struct RowColumns: Sendable {
    struct Column: Sendable {
        var name: String
        var schema: JSONSchema
    }

    private let columns: [Column]
    /// The document that is NULL in rows that are too large to be read, and in no others.
    private let guarded: String

    /// - Parameter guarded: the name of the column that is one.
    init(_ columns: [(String, JSONSchema)], guarded: String) {
        self.columns = columns.map { Column(name: $0, schema: $1) }
        self.guarded = guarded
    }

    var schema: JSONSchema { .object(columns.map { ($0.name, $0.schema) }, required: columns.map(\.name)) }

    /// Of the guarded column.
    var guardedIndex: Int? { columns.firstIndex { $0.name == guarded } }

    /// For a SELECT.
    func list(documentBytesMax: Int) -> String {
        columns.map { column in
            column.name == guarded ? Self.shown(column.name, bytesMax: documentBytesMax) : column.name
        }.joined(separator: ", ")
    }

    /// A document, without the members that are passwords: what an event said for such a column of a pack is shown no more
    /// than the column.
    private static func shown(_ column: String, bytesMax: Int) -> String {
        let read = PrintedSize.guarded(column, bytesMax: bytesMax)
        return """
            CASE
                WHEN jsonb_typeof(\(column)) = 'object' AND \(column.namesPassword) THEN public.without_passwords(\(read))
                ELSE \(read)
            END AS \(column)
            """
    }
}

extension String {
    /// Whether the document, an expression, has a member that is one.
    var namesPassword: String {
        "jsonb_path_exists(\(self), '$.keyvalue().key ? (@ starts with \"password\")', silent => true)"
    }
}

/// A row whose columns a pack declares.
enum EntityRow: RowShape {
    static let schema = JSONSchema.anyObject
}

/// A row of counts: one member a dimension of the fold, and its sums.
enum CountRow: RowShape {
    static let schema = JSONSchema.object(
        [("n", .integer)], required: ["n"],
        others: .scalar.described("The dimensions, `bucket` (the start of its time), and the sums"))
}
