/// Tells a pooler that gives each transaction another server session, as PgBouncer does in the modes transaction and
/// statement: session locks and settings get lost there between statements.
package enum SessionPooling {
    /// A pooler may hand out its server sessions in turn, so that one look shows nothing.
    private static let looks = 4

    /// Blocks for moments. `first` and `second` are idle connections by one connection string.
    package static func isByTransaction(
        _ first: PostgresConnection, _ second: PostgresConnection
    ) throws(PostgresError) -> Bool {
        var ofFirst: Set<Int> = []
        var ofSecond: Set<Int> = []
        for _ in 0..<looks {
            // Amid its transaction the second one keeps a server session to itself; the first one, if it has none of its own,
            // gets another one meanwhile than before.
            ofFirst.insert(try processID(first))
            do {
                try second.execute("BEGIN")
            } catch  where error.code == .serverError || error.message.contains("pooling mode") {
                // In statement mode there are no transactions; PgBouncer ends the connection that asks for one.
                return true
            }
            ofSecond.insert(try processID(second))
            ofFirst.insert(try processID(first))
            try second.execute("ROLLBACK")
        }
        return ofFirst.count > 1 || ofSecond.count > 1 || !ofFirst.isDisjoint(with: ofSecond)
    }

    /// Throws where it is one; opens a second connection by `connect` for that.
    package static func requireSessions(
        on connection: PostgresConnection, _ connect: () throws(PostgresError) -> PostgresConnection
    ) throws(PostgresError) {
        guard try isByTransaction(connection, connect()) else { return }
        throw PostgresError(code: .databaseUnfit, message: refusal, hint: fix)
    }

    /// What is wrong.
    package static let refusal =
        "a pooler in transaction or statement mode stands between: two connections share their server sessions"

    /// What to do.
    package static let fix =
        "Point database.url at PostgreSQL itself, or at a pool in session mode (PgBouncer: pool_mode = session)."

    private static func processID(_ connection: PostgresConnection) throws(PostgresError) -> Int {
        try connection.execute("SELECT pg_backend_pid()").int(0, 0) ?? 0
    }
}
