package import MillracePostgres

/// One set of a pack's tables: a row of `projections.versions`.
package struct PackVersion: Sendable, Equatable {
    package enum State: String, Sendable {
        /// What readers see, in schema `projections`.
        case live
        /// Being filled beside it.
        case building
    }

    /// Of the live versions' tables.
    package static let liveSchema = "projections"

    /// What `ingest_batches.folded` holds.
    package var id: Int32
    package var pack: String
    package var version: Int
    package var hash: String
    package var schema: String
    package var state: State
    /// As PostgreSQL writes a timestamptz, UTC.
    package var createdAt: String
    /// When it went live; nil before.
    package var builtAt: String?
    /// Of a version being built: batches that were there when it began.
    package var batchesTotal: Int
    package var batchesDone: Int

    /// Whether this is the version that `pack`'s files make.
    package func isMade(from pack: PackDefinition) -> Bool {
        self.pack == pack.name && version == pack.version && hash == pack.hash
    }

    /// Schema of the version being built of a pack.
    package static func nextSchema(of pack: String) -> String { "projections_\(pack)_next" }

    /// Whether the catalog is there: migration 7 is applied.
    package static func isCatalogThere(_ connection: PostgresConnection) throws(PostgresError) -> Bool {
        try connection.hasRelation("projections.versions")
    }

    /// All there are, by pack, the live one first.
    package static func all(_ connection: PostgresConnection) throws(PostgresError) -> [PackVersion] {
        let rows = try connection.execute(
            """
            SELECT
                id, pack, version, definition_hash, schema_name, state, created_at::text, built_at::text,
                batches_total, batches_done
            FROM projections.versions
            ORDER BY pack, state DESC
            """)
        return (0..<rows.rowCount).map { row in
            PackVersion(
                id: Int32(truncatingIfNeeded: rows.int(row, 0) ?? 0), pack: rows.string(row, 1) ?? "",
                version: rows.int(row, 2) ?? 0, hash: rows.string(row, 3) ?? "", schema: rows.string(row, 4) ?? "",
                state: rows.string(row, 5).flatMap(State.init) ?? .building, createdAt: rows.string(row, 6) ?? "",
                builtAt: rows.string(row, 7), batchesTotal: rows.int(row, 8) ?? 0, batchesDone: rows.int(row, 9) ?? 0)
        }
    }

    /// Those of one pack.
    package static func all(
        of pack: String, _ connection: PostgresConnection
    ) throws(PostgresError) -> (live: PackVersion?, building: PackVersion?) {
        let versions = try all(connection).filter { $0.pack == pack }
        return (versions.first { $0.state == .live }, versions.first { $0.state == .building })
    }
}

/// How many of the ledger's batches a version of a pack lacks: for metrics.
package struct VersionProgress: Sendable, Equatable {
    /// Newest rows of the ledger that are looked at: batches that a version lacks are among them, and the query stays
    /// cheap on a long ledger.
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
