internal import MillracePostgres

/// The triggers that queue the erasure of users whom a pack deletes, on its table `users` (`public.queue_user_erasures`). A
/// pack whose up.sql does that itself has none.
enum ErasureTriggers {
    private static let function = "public.queue_user_erasures"
    private static let events = [
        ("inserted", "INSERT", "NEW"), ("updated", "UPDATE", "NEW"), ("deleted", "DELETE", "OLD"),
    ]

    /// Makes them in `schema`, where they lack. Blocks. Returns names of relations: none.
    @discardableResult
    static func install(
        _ pack: PackDefinition, schema: String, on connection: PostgresConnection
    ) throws(PostgresError) -> [String] {
        guard let table = try table(of: pack, schema: schema, on: connection) else { return [] }
        for (name, event, rows) in events {
            try connection.execute(
                """
                CREATE OR REPLACE TRIGGER millrace_erasure_\(name)
                AFTER \(event) ON \(table)
                REFERENCING \(rows) TABLE AS changed
                FOR EACH STATEMENT EXECUTE FUNCTION \(function)()
                """)
        }
        return []
    }

    static func areMissing(
        _ pack: PackDefinition, schema: String, on connection: PostgresConnection
    ) throws(PostgresError) -> Bool {
        guard let table = try table(of: pack, schema: schema, on: connection) else { return false }
        return try connection.execute(
            "SELECT count(*) FROM pg_trigger WHERE tgrelid = '\(table)'::regclass AND starts_with(tgname, 'millrace_erasure_')"
        ).count(0, 0) < events.count
    }

    /// Quoted, with its schema; nil where the pack has none or does it itself, or the schema can't.
    private static func table(
        of pack: PackDefinition, schema: String, on connection: PostgresConnection
    ) throws(PostgresError) -> String? {
        guard !pack.upSQL.contains("user_erasures"), let users = pack.folds.first(where: { $0.name == "users" }),
            case .entity(let entity) = users.kind, entity.key.map(\.column) == ["id"],
            try connection.execute("SELECT to_regprocedure('\(function)()') IS NOT NULL").bool(0, 0) == true
        else { return nil }
        let table = "\"\(schema)\".\"\(users.table)\""
        return try connection.hasRelation(table) ? table : nil
    }
}
