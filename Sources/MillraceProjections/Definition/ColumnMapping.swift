/// A column of a projection's table and the field that it is filled from.
package struct ColumnMapping: Sendable, Equatable {
    package var column: String
    package var field: FieldPath
    /// The value of a row whose field is missing or null, as PostgreSQL reads the column's type; nil: NULL.
    package var fallback: String?
    /// Of pack.toml, from 1; for messages.
    package var line: Int

    package init(column: String, field: FieldPath, fallback: String? = nil, line: Int = 1) {
        self.column = column
        self.field = field
        self.fallback = fallback
        self.line = line
    }
}
