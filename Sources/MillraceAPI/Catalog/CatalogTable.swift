/// A table of a live pack, as PostgreSQL has it.
struct CatalogTable: Sendable, Equatable {
    struct Column: Sendable, Equatable {
        var name: String
        /// As `format_type` writes it: fit for a cast.
        var type: String
        /// `pg_type.typcategory`: A arrays, D times, N numbers …
        var category: String
        var isNotNull: Bool

        /// The column for a SELECT list: what has no plain text is made JSON.
        var selected: String {
            let name = SQLStatement.quoted(name)
            return category == "A" || category == "C" ? "to_jsonb(\(name)) AS \(name)" : name
        }

        /// Never shown, whoever asks: a hash of a password has no readers.
        var isSecret: Bool { Self.isSecret(name) }

        static func isSecret(_ name: String) -> Bool { name.hasPrefix("password") }

        var isTime: Bool { type == "timestamp with time zone" }
    }

    var name: String
    /// In the table's order.
    var columns: [Column]
    /// The columns of each btree of all rows that are not deleted, in its order; expressions end it.
    var indexes: [[String]]

    func column(_ name: String) -> Column? { columns.first { $0.name == name } }

    /// With its schema.
    var qualified: String { "projections." + SQLStatement.quoted(name) }

    /// Those that some index knows, in the table's order.
    var indexed: [Column] {
        columns.filter { column in
            column.name != "tenant_id" && !column.isSecret && indexes.contains { $0.contains(column.name) }
        }
    }
}
