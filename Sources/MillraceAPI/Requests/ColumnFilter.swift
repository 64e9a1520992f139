internal import HTTPTypes
internal import MillraceEvent

/// What a request wants of a column: `priority!=LOW`, `created_at>=2026-11-01`.
struct ColumnFilter: Sendable, Equatable {
    enum Comparison: String, Sendable {
        case equal = "="
        case notEqual = "!="
        case less = "<"
        case lessOrEqual = "<="
        case greater = ">"
        case greaterOrEqual = ">="

        /// Rows without a value are not equal to any.
        var sql: String { self == .notEqual ? "IS DISTINCT FROM" : rawValue }
    }

    var column: String
    var comparison: Comparison
    var value: String

    var text: String { column + comparison.rawValue + value }
}

/// A filter whose column is known and whose value is one of its type, as far as that can be told without the database.
struct ColumnCondition: Sendable {
    let column: CatalogTable.Column
    let comparison: ColumnFilter.Comparison
    private let value: String

    /// `columns`: that rows can be told by. Throws `APIProblem`.
    init(
        _ filter: ColumnFilter, of columns: [CatalogTable.Column], _ operation: APIOperation
    ) throws(APIProblem) {
        guard let column = columns.first(where: { $0.name == filter.column }) else {
            let names = operation.parameters.map(\.name)
            if names.contains(filter.column) {
                throw RequestParameters.invalid(filter.column, "given by =, for it is no column")
            }
            throw RequestParameters.unknown(filter.column, known: names + columns.map(\.name))
        }
        self.column = column
        comparison = filter.comparison
        value = try column.isTime ? Self.time(filter) : filter.value
    }

    private static func time(_ filter: ColumnFilter) throws(APIProblem) -> String {
        if let time = TimeText.parse(filter.value) { return time.rfc3339 }
        if filter.value == "infinity" || filter.value == "-infinity" { return filter.value }
        throw RequestParameters.invalidTime(filter.column, filter.value)
    }

    /// Adds `AND column = value`.
    func append(to statement: inout SQLStatement) {
        let place = statement.bind(value, as: column.type, named: column.name)
        statement.append("AND \(SQLStatement.quoted(column.name)) \(comparison.sql) \(place)")
    }
}

extension RequestParameters {
    /// The filters as conditions. Throws `APIProblem`.
    func conditions(
        of columns: [CatalogTable.Column], _ operation: APIOperation
    ) throws(APIProblem) -> [ColumnCondition] {
        try filters.map { (filter) throws(APIProblem) in try ColumnCondition(filter, of: columns, operation) }
    }
}
