import MillraceEvent
import MillracePostgres

/// The same questions where the rows are spread over workers of Citus: what is there of them is fetched, and compared here.
extension OverlapAudit {
    /// Takes the parameters of `missing`.
    static func missingApart(from table: String) -> String {
        """
        WITH line AS MATERIALIZED (
            SELECT
                sequence, id, tenant_id,
                timestamptz '2000-01-01 00:00:00+00' + microseconds * interval '1 microsecond' AS created_at
            FROM unnest($1::bigint[], $2::uuid[], $3::bigint[], $6::integer[])
                AS line (sequence, id, microseconds, tenant_id)
        ), stored AS MATERIALIZED (
            SELECT id, tenant_id, created_at
            FROM \(table)
            WHERE id = ANY ($2::uuid[])
                AND created_at >= (SELECT min(created_at) FROM line)
                AND created_at <= (SELECT max(created_at) FROM line)
        ), known AS MATERIALIZED (
            SELECT id, tenant_id
            FROM public.event_ids
            WHERE id = ANY ($2::uuid[])
        )
        SELECT line.sequence
        FROM line
        WHERE NOT EXISTS (
            SELECT
            FROM stored
            WHERE stored.id = line.id AND stored.tenant_id = line.tenant_id AND stored.created_at = line.created_at
        ) AND NOT EXISTS (
            SELECT
            FROM public.dead_letters AS letter
            WHERE letter.spool_id = $4 AND letter.sequence = line.sequence
        ) AND NOT EXISTS (
            SELECT
            FROM known
            WHERE known.id = line.id AND known.tenant_id = line.tenant_id AND $5
        )
        """
    }

    /// As `removedRows`.
    func removedRowsApart(_ sequences: Range<UInt64>) throws(PostgresError) -> Int {
        let ledger = try connection.execute(
            """
            SELECT batch_id, rows
            FROM public.ingest_batches
            WHERE spool_id = '\(spoolID)' AND first_seq < \(sequences.upperBound) AND last_seq >= \(sequences.lowerBound)
            """)
        var removed = 0
        for row in 0..<ledger.rowCount { removed += ledger.count(row, 1) }
        let batches = Set((0..<ledger.rowCount).map { ledger.count($0, 0) })
        for table in PartitionedTable.allCases {
            removed -= try connection.query(
                "SELECT count(*) FROM public.\(table.rawValue) WHERE batch_id = ANY ($1::bigint[])",
                parameters: [.array(batches.sorted())]
            ).count(0, 0)
        }
        return removed
    }
}
