/// Row-level security, the rights of views, and what the roles of sql/roles.sql may: of what was made since the last time.
/// In or out of a transaction; blocks.
package enum RowProtection {
    /// Does nothing before the migration that knows how.
    package static func complete(on connection: PostgresConnection) throws(PostgresError) {
        let isKnown = try connection.execute("SELECT to_regprocedure('public.protect_rows()') IS NOT NULL")
        guard isKnown.bool(0, 0) == true else { return }
        try connection.execute("SELECT public.protect_rows()", timeout: .seconds(60))
    }
}
