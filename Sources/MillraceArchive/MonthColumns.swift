internal import MillracePostgres

/// The columns of a month's table that hold what came, in their order: without generated ones.
enum MonthColumns {
    /// `relation`: with its schema.
    static func of(
        _ relation: String, on connection: PostgresConnection
    ) throws(PostgresError) -> [ArchiveManifest.Column] {
        let rows = try connection.query(
            """
            SELECT attname, pg_catalog.format_type(atttypid, atttypmod)
            FROM pg_catalog.pg_attribute
            WHERE attrelid = to_regclass($1) AND attnum > 0 AND NOT attisdropped AND attgenerated = ''
            ORDER BY attnum
            """, parameters: [.text(relation)])
        return (0..<rows.rowCount).map { row in
            ArchiveManifest.Column(name: rows.string(row, 0) ?? "", type: rows.string(row, 1) ?? "")
        }
    }
}

extension ArchiveManifest.Column {
    /// As SQL names it.
    var quoted: String { "\"\(name.replacing("\"", with: "\"\""))\"" }
}
