/// A field of a row, as pack.toml names it: `event_type`, `payload`, `payload.page.path`, `metadata.tags.0`.
package struct FieldPath: Sendable, Hashable, CustomStringConvertible {
    /// The column of `analytics_events` or `conversations`.
    package var column: String
    /// Object members, or array elements by number, within the jsonb column; empty: the whole column.
    package var path: [String]

    package init(column: String, path: [String] = []) {
        self.column = column
        self.path = path
    }

    package var description: String { ([column] + path).joined(separator: ".") }
}
