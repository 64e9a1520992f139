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
        try connection.execute("SELECT to_regclass('projections.versions') IS NOT NULL").bool(0, 0) ?? false
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
