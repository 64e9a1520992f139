/// Row-level security, the rights of views, and what the roles of sql/roles.sql may: of what was made since the last time.
/// In or out of a transaction; blocks.
package enum RowProtection {
    /// Does nothing before the migration that knows how.
    package static func complete(on connection: PostgresConnection) throws(PostgresError) {
        guard try isKnown(on: connection) else { return }
        try connection.execute("SELECT public.protect_rows()", timeout: .seconds(60))
    }

    /// The same of one relation, with its schema: nothing else is locked. In a transaction.
    static func complete(of relation: String, on connection: PostgresConnection) throws(PostgresError) {
        guard try isKnown(on: connection) else { return }
        try connection.query("SELECT set_config('millrace.protected', $1, true)", parameters: [.text(relation)])
        try connection.execute("SELECT public.protect_rows()", timeout: .seconds(60))
        try connection.execute("SET LOCAL millrace.protected = ''")
    }

    private static func isKnown(on connection: PostgresConnection) throws(PostgresError) -> Bool {
        let look = try connection.execute("SELECT to_regprocedure('public.protect_rows()') IS NOT NULL")
        return look.bool(0, 0) == true
    }
}
