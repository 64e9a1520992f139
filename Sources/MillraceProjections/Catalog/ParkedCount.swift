package import MillracePostgres

/// How many events a fold of a live version lacks, for one reason.
package struct ParkedCount: Sendable, Equatable {
    package var pack: String
    package var fold: String
    /// Of `projections.parked`.
    package var code: String
    /// The constraint or unique index that refused them.
    package var constraint: String?
    package var sqlState: String?
    package var events: Int
    /// When the oldest was parked, as PostgreSQL writes a timestamptz.
    package var oldest: String

    /// `pack.fold: constraint`, or what else is known of the reason.
    package var reason: String {
        "\(pack).\(fold): " + (constraint ?? code) + (sqlState.map { " (SQLSTATE \($0))" } ?? "")
            + (isWaiting ? ", waiting" : "")
    }

    /// Whether they go in by themselves, once the value that they want is free.
    package var isWaiting: Bool { code == ParkedEvent.waitingCode }

    /// For whoever finds some.
    package static let hint =
        "those that wait go in when the value is free; of the others projections.parked says which and why: send the entity "
        + "again, corrected, or correct its table and run `millrace projections retry-parked`"

    /// The largest first; empty where there are no projections. Blocks.
    package static func all(on connection: PostgresConnection) throws(PostgresError) -> [ParkedCount] {
        let isThere = try connection.execute(
            """
            SELECT count(*) = 1
            FROM pg_catalog.pg_attribute
            WHERE attrelid = to_regclass('projections.parked') AND attname = 'constraint_name' AND NOT attisdropped
            """)
        guard isThere.bool(0, 0) == true else { return [] }
        let rows = try connection.execute(
            """
            SELECT
                parked.pack, parked.fold, parked.code, parked.constraint_name, parked.sqlstate, count(*),
                min(parked.parked_at)::text
            FROM projections.parked
            JOIN projections.versions AS version ON version.id = parked.version_id AND version.state = 'live'
            GROUP BY 1, 2, 3, 4, 5
            ORDER BY 6 DESC, 1, 2, 3, 4, 5
            """)
        return (0..<rows.rowCount).map { row in
            ParkedCount(
                pack: rows.string(row, 0) ?? "", fold: rows.string(row, 1) ?? "", code: rows.string(row, 2) ?? "",
                constraint: rows.string(row, 3), sqlState: rows.string(row, 4), events: rows.int(row, 5) ?? 0,
                oldest: rows.string(row, 6) ?? "")
        }
    }
}
