/// A row of `public.partition_months`.
package struct MonthRecord: Sendable, Hashable {
    package var table: PartitionedTable
    package var month: PartitionMonth
    package var state = MonthState.live
    package var goal = MonthGoal.live
    /// Begun by `partitions.retain`: the daemon goes on with it.
    package var isAutomatic = false
    /// As counted when it was detached or archived.
    package var rows: Int?
    package var rowHash: String?
    /// The archive's directory.
    package var location: String?
    /// Who wrote the archive.
    package var archiveHost: String?
    /// Of the archive's files.
    package var archiveBytes: Int?
    package var manifestSHA256: String?
    /// Times as PostgreSQL writes a timestamptz, UTC.
    package var closedAt: String?
    package var archivedAt: String?
    package var changedAt: String?
    package var error: String?

    package init(table: PartitionedTable, month: PartitionMonth) {
        self.table = table
        self.month = month
    }

    /// The month's table, attached or not, in schema `public`.
    package var relation: String { table.partitionName(month) }

    /// Whether it is where it is going.
    package var isAtGoal: Bool { state.rawValue == goal.rawValue }
}

/// `public.partition_months`. In or out of a transaction; blocks. Before its migration every month is live.
package enum MonthTable {
    private static let columns = """
        table_name, to_char(month, 'YYYY-MM'), state, goal, is_automatic, rows, row_hash, location, archive_host,
        archive_bytes, manifest_sha256, closed_at::text, archived_at::text, changed_at::text, error
        """

    package static func isThere(_ connection: PostgresConnection) throws(PostgresError) -> Bool {
        try connection.hasRelation("public.partition_months")
    }

    /// By table, then month.
    package static func all(_ connection: PostgresConnection) throws(PostgresError) -> [MonthRecord] {
        guard try isThere(connection) else { return [] }
        let rows = try connection.execute(
            "SELECT \(columns) FROM public.partition_months ORDER BY table_name, month")
        return (0..<rows.rowCount).compactMap { record(rows, $0) }
    }

    /// nil for a month that is just live.
    package static func record(
        of month: PartitionMonth, in table: PartitionedTable, on connection: PostgresConnection
    ) throws(PostgresError) -> MonthRecord? {
        guard try isThere(connection) else { return nil }
        let rows = try connection.query(
            "SELECT \(columns) FROM public.partition_months WHERE table_name = $1 AND month = $2::date",
            parameters: [.text(table.rawValue), .text(month.firstDay)])
        return rows.rowCount > 0 ? record(rows, 0) : nil
    }

    /// The months of `table` that rows don't go into.
    package static func shut(
        of table: PartitionedTable, on connection: PostgresConnection
    ) throws(PostgresError) -> Set<PartitionMonth> {
        guard try isThere(connection) else { return [] }
        let rows = try connection.query(
            """
            SELECT to_char(month, 'YYYY-MM')
            FROM public.partition_months
            WHERE table_name = $1 AND state NOT IN (\(MonthState.taking))
            """, parameters: [.text(table.rawValue)])
        return Set((0..<rows.rowCount).compactMap { rows.string($0, 0).flatMap(PartitionMonth.init(label:)) })
    }

    /// Puts the whole row in, in the place of the one that is there. Who does holds the month's lock.
    package static func save(_ record: MonthRecord, on connection: PostgresConnection) throws(PostgresError) {
        try connection.query(
            """
            INSERT INTO public.partition_months (
                table_name, month, relation, state, goal, is_automatic, rows, row_hash, location, archive_host,
                archive_bytes, manifest_sha256, closed_at, archived_at, error, changed_at
            ) VALUES (
                $1, $2::date, $3, $4, $5, $6::boolean, $7::bigint, $8, $9, $10, $11::bigint, $12, $13::timestamptz,
                $14::timestamptz, $15, now()
            )
            ON CONFLICT (table_name, month) DO UPDATE SET
                state = EXCLUDED.state, goal = EXCLUDED.goal, is_automatic = EXCLUDED.is_automatic,
                rows = EXCLUDED.rows, row_hash = EXCLUDED.row_hash, location = EXCLUDED.location,
                archive_host = EXCLUDED.archive_host, archive_bytes = EXCLUDED.archive_bytes,
                manifest_sha256 = EXCLUDED.manifest_sha256, closed_at = EXCLUDED.closed_at,
                archived_at = EXCLUDED.archived_at, error = EXCLUDED.error, changed_at = EXCLUDED.changed_at
            """,
            parameters: [
                .text(record.table.rawValue), .text(record.month.firstDay), .text(record.relation),
                .text(record.state.rawValue), .text(record.goal.rawValue), .text(record.isAutomatic ? "true" : "false"),
                record.rows.map { .integer($0) }, record.rowHash.map { .text($0) }, record.location.map { .text($0) },
                record.archiveHost.map { .text($0) }, record.archiveBytes.map { .integer($0) },
                record.manifestSHA256.map { .text($0) }, record.closedAt.map { .text($0) },
                record.archivedAt.map { .text($0) }, record.error.map { .text($0) },
            ])
    }

    private static func record(_ rows: borrowing PostgresResult, _ row: Int) -> MonthRecord? {
        guard let table = rows.string(row, 0).flatMap(PartitionedTable.init(rawValue:)),
            let month = rows.string(row, 1).flatMap(PartitionMonth.init(label:)),
            let state = rows.string(row, 2).flatMap(MonthState.init(rawValue:)),
            let goal = rows.string(row, 3).flatMap(MonthGoal.init(rawValue:))
        else { return nil }
        var record = MonthRecord(table: table, month: month)
        record.state = state
        record.goal = goal
        record.isAutomatic = rows.bool(row, 4) ?? false
        record.rows = rows.int(row, 5)
        record.rowHash = rows.string(row, 6)
        record.location = rows.string(row, 7)
        record.archiveHost = rows.string(row, 8)
        record.archiveBytes = rows.int(row, 9)
        record.manifestSHA256 = rows.string(row, 10)
        record.closedAt = rows.string(row, 11)
        record.archivedAt = rows.string(row, 12)
        record.changedAt = rows.string(row, 13)
        record.error = rows.string(row, 14)
        return record
    }
}

extension PartitionMonth {
    /// `2026-11-01`.
    package var firstDay: String { String(lowerBound.prefix(10)) }
}
