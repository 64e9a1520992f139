package import MillracePostgres

/// What rows a table holds, so that two tables can be compared without their order: how many, the first and the last, and
/// two sums of 64-bit hashes over each row's text.
package struct MonthFingerprint: Sendable, Equatable {
    package var rows: Int
    /// `SUM:SUM`, each of hashes with another seed.
    package var hash: String
    package var first: ArchiveManifest.Row?
    package var last: ArchiveManifest.Row?

    /// Whether these are the rows that the record counted.
    package func matches(_ record: MonthRecord) -> Bool { rows == record.rows && hash == record.rowHash }

    /// Whether these are the rows of an archive.
    func matches(_ manifest: ArchiveManifest) -> Bool {
        rows == manifest.rows && hash == manifest.rowHash && first == manifest.first && last == manifest.last
    }

    /// Reads the whole table once. Blocks up to `timeout`; in or out of a transaction.
    ///
    /// - Parameters:
    ///   - relation: as SQL names it.
    ///   - columns: those that count, in this order.
    package static func of(
        _ relation: String, _ columns: [ArchiveManifest.Column], on connection: PostgresConnection, timeout: Duration
    ) throws(PostgresError) -> MonthFingerprint {
        let row = "ROW(\(columns.map(\.quoted).joined(separator: ", ")))::text"
        let sums = try connection.execute(
            """
            SELECT
                count(*),
                COALESCE(sum(hashtextextended(\(row), 0)::numeric), 0)::text
                    || ':' || COALESCE(sum(hashtextextended(\(row), 1)::numeric), 0)::text
            FROM \(relation)
            """, timeout: timeout)
        return MonthFingerprint(
            rows: sums.count(0, 0), hash: sums.string(0, 1) ?? "",
            first: try end(of: relation, "ASC", on: connection, timeout: timeout),
            last: try end(of: relation, "DESC", on: connection, timeout: timeout))
    }

    private static func end(
        of relation: String, _ order: String, on connection: PostgresConnection, timeout: Duration
    ) throws(PostgresError) -> ArchiveManifest.Row? {
        let row = try connection.execute(
            """
            SELECT to_char(created_at AT TIME ZONE 'UTC', 'YYYY-MM-DD"T"HH24:MI:SS.US"Z"'), id::text
            FROM \(relation)
            ORDER BY created_at \(order), id \(order), tenant_id \(order)
            LIMIT 1
            """, timeout: timeout)
        guard row.rowCount > 0, let createdAt = row.string(0, 0), let id = row.string(0, 1) else { return nil }
        return ArchiveManifest.Row(createdAt: createdAt, id: id)
    }
}
