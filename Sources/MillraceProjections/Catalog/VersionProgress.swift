package import MillracePostgres

/// How far a version of a pack is behind the ledger: for metrics.
package struct VersionProgress: Sendable, Equatable {
    /// Newest rows of the ledger that are looked at: what is behind is there, and the look stays cheap on a long ledger.
    package static let batchesMax = 100_000

    package var pack: String
    package var state: PackVersion.State
    /// Of the newest batches, those that are not folded into it.
    package var behind: Int
    package var parked: Int
    /// Of a version being built.
    package var batchesDone: Int
    package var batchesTotal: Int

    /// Of every version; empty before the catalog is there. Blocks.
    package static func all(
        _ connection: PostgresConnection, timeout: Duration
    ) throws(PostgresError) -> [VersionProgress] {
        guard try PackVersion.isCatalogThere(connection) else { return [] }
        let rows = try connection.execute(
            """
            SELECT
                pack, state, batches_done, batches_total,
                (SELECT count(*) FROM projections.parked WHERE version_id = version.id),
                (
                    SELECT COALESCE(sum(batches), 0)
                    FROM (
                        SELECT folded, batches
                        FROM public.ingest_batches
                        ORDER BY batch_id DESC
                        LIMIT \(batchesMax)
                    ) AS newest
                    WHERE NOT folded @> ARRAY[version.id]
                )
            FROM projections.versions AS version
            """, timeout: timeout)
        return (0..<rows.rowCount).map { row in
            VersionProgress(
                pack: rows.string(row, 0) ?? "",
                state: rows.string(row, 1).flatMap(PackVersion.State.init) ?? .building,
                behind: rows.int(row, 5) ?? 0, parked: rows.int(row, 4) ?? 0, batchesDone: rows.int(row, 2) ?? 0,
                batchesTotal: rows.int(row, 3) ?? 0)
        }
    }
}
