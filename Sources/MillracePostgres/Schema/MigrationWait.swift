/// What keeps a migration from its locks.
package struct MigrationWait: Sendable {
    package var migration: Migration
    /// Tries so far, each of half a second at most; between them writers and readers go on.
    package var tries: Int
    /// Sessions that hold what it wants, the oldest first; empty where they can't be told.
    package var holders: [String]

    /// `public.conversations and public.analytics_events`.
    package var tables: String {
        migration.locked.isEmpty ? "what it changes" : migration.locked.joined(separator: ", ")
    }

    /// `, held by session 4711 (psql, idle in transaction, for 93 s)`; empty where it can't be told.
    package var heldBy: String {
        holders.isEmpty ? "" : ", held by " + holders.joined(separator: ", ")
    }
}

/// Sessions that hold locks on tables.
enum LockHolders {
    private static let sessionsMax = 3

    /// The oldest of the other sessions that hold a lock on one of these tables, or on what is beneath or in them.
    static func describe(ofTables tables: [String], on connection: PostgresConnection) throws(PostgresError) -> [String]
    {
        guard !tables.isEmpty else { return [] }
        let found = try connection.query(
            """
            WITH wanted AS (
                SELECT to_regclass(name)::oid AS relation
                FROM unnest($1::text[]) AS name
                UNION
                SELECT tree.relid::oid
                FROM unnest($1::text[]) AS name
                CROSS JOIN LATERAL pg_partition_tree(to_regclass(name)) AS tree
            )
            SELECT
                activity.pid, activity.application_name, COALESCE(activity.state, 'hidden'),
                EXTRACT(EPOCH FROM clock_timestamp() - min(activity.xact_start))::bigint
            FROM pg_catalog.pg_locks AS lock
            JOIN wanted ON wanted.relation = lock.relation
            JOIN pg_catalog.pg_stat_activity AS activity ON activity.pid = lock.pid
            WHERE lock.granted AND lock.pid <> pg_backend_pid()
            GROUP BY 1, 2, 3
            ORDER BY min(activity.xact_start) NULLS LAST
            LIMIT \(sessionsMax)
            """, parameters: [.array(tables)])
        return (0..<found.rowCount).map { row in
            let age = found.int(row, 3).map { ", for \($0) s" } ?? ""
            let name = found.string(row, 1).flatMap { $0.isEmpty ? nil : $0 } ?? "no application name"
            return "session \(found.count(row, 0)) (\(name), \(found.string(row, 2) ?? "hidden")\(age))"
        }
    }
}
