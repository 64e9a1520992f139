import MillracePostgres
import MillraceProjections

/// What `BatchWriter` asks at the beginning and at the end of its transaction.
enum BatchStatements {
    /// The ledger's last batch that begins before a sequence, whether conversations have statuses, whether Citus is there, and
    /// the versions; a row at least.
    ///
    /// With Citus the commit waits for the log: workers keep their part of a transaction before the coordinator's record of it
    /// is on disk, so that a crash would leave rows without ledger row and folds.
    static let opening = """
        SELECT
            latest.*, \(ConversationStatuses.areThere),
            CASE WHEN \(CitusCatalog.isThere) THEN set_config('synchronous_commit', 'on', true) END IS NOT NULL,
            \(BatchProjection.Version.columns(of: "version"))
        FROM (VALUES (1)) AS one (row)
        LEFT JOIN (
            SELECT last_seq, batch_id
            FROM public.ingest_batches
            WHERE spool_id = $1::uuid AND first_seq < $2::bigint
            ORDER BY first_seq DESC
            LIMIT 1
        ) AS latest ON true
        LEFT JOIN projections.versions AS version ON true
        """

    /// Fails by a division by zero when one of the tables is no partition, or of a month that takes no rows, so that the
    /// COMMIT after it is skipped. They can't be detached after that, since the batch has locked them.
    static let attachment = """
        SELECT 1 / (count(*) = $2)::integer
        FROM pg_catalog.pg_inherits
        JOIN pg_catalog.pg_class AS leaf ON leaf.oid = inhrelid
        WHERE inhrelid IN (SELECT to_regclass(name) FROM unnest($1::text[]) AS filled (name))
            AND inhparent IN (\(parents))
            AND NOT inhdetachpending
            AND NOT EXISTS (
                SELECT
                FROM public.partition_months AS shut
                WHERE shut.relation = leaf.relname AND shut.state NOT IN (\(MonthState.taking))
            )
        """

    private static let parents = PartitionedTable.allCases.map { "to_regclass('public.\($0.rawValue)')" }
        .joined(separator: ", ")
}
