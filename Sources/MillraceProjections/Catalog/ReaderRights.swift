import MillracePostgres

/// What `millrace_reader` of sql/roles.sql may not read: hashes of passwords in the packs' tables. Blocks.
struct ReaderRights {
    let connection: PostgresConnection

    /// Narrows its rights on the tables that are there; nothing where there is no such role, or no migration 13 yet.
    func restrict() throws(PostgresError) {
        let isKnown = try connection.execute("SELECT to_regproc('projections.restrict_reader') IS NOT NULL")
        guard isKnown.bool(0, 0) == true else { return }
        try connection.execute("SELECT projections.restrict_reader()", timeout: .seconds(60))
    }
}
