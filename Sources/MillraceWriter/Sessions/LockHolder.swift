import MillracePostgres

/// A session that holds one of a spool's locks, as `pg_stat_activity` shows it.
struct LockHolder: Sendable, Equatable {
    var backendID: Int
    /// With `backendID` it names one session: process ids come again.
    var startedAt: String
    /// The application's.
    var name: String
    /// By our own role, so that we may end it and see what it does.
    var isOwnRole: Bool
    /// Holds (or waits for) a writer's lock; else the lock of the spool.
    var isWriter: Bool
    /// nil where it is hidden from our role.
    var state: String?
    var waitEvent: String?
    /// Since it began its statement, or ended its last one.
    var quiet: Duration
    /// Address of its client; nil for a Unix socket.
    var client: String?

    /// Whether it runs a statement.
    var isActive: Bool { state == "active" || state == "fastpath function call" }

    /// For a log line: who it is and what it does.
    var summary: String {
        let what = state.map { "\($0) for \(quiet.components.seconds) s" } ?? "its state is hidden from our role"
        let wait = waitEvent.map { ", waiting for \(LockHolder.explained($0))" } ?? ""
        return
            "session \(backendID) (\(name.isEmpty ? "no application name" : name), \(client ?? "local")): \(what)\(wait)"
    }

    /// The wait event, and what it means where an operator has to act.
    static func explained(_ event: String) -> String {
        switch event {
        case "SyncRep": "SyncRep, a synchronous standby that does not confirm (synchronous_standby_names)"
        case "ClientRead", "ClientWrite": "\(event), its client"
        default: event
        }
    }

    /// Every other session of this database that holds the lock of the spool, or holds or waits for one of its writers'.
    static func all(_ keys: AdvisoryLockKeys, on connection: PostgresConnection) throws(PostgresError) -> [LockHolder] {
        let key = UInt64(bitPattern: keys.sessionKey)
        let rows = try connection.execute(
            """
            SELECT
                lock.pid, activity.backend_start::text, activity.application_name, activity.usename = current_user,
                bool_or(lock.objsubid = 2), activity.state, activity.wait_event,
                (EXTRACT(EPOCH FROM clock_timestamp() - activity.state_change) * 1000)::bigint, activity.client_addr::text
            FROM pg_catalog.pg_locks AS lock
            JOIN pg_catalog.pg_stat_activity AS activity ON activity.pid = lock.pid
            WHERE lock.locktype = 'advisory'
                AND lock.database = (SELECT oid FROM pg_catalog.pg_database WHERE datname = current_database())
                AND lock.pid <> pg_backend_pid()
                AND (
                    (
                        lock.objsubid = 1 AND lock.granted
                        AND lock.classid = \(key >> 32) AND lock.objid = \(key & 0xFFFF_FFFF)
                    )
                    OR (lock.objsubid = 2 AND lock.classid = \(UInt32(bitPattern: keys.writerKey)))
                )
            GROUP BY 1, 2, 3, 4, 6, 7, 8, 9
            ORDER BY 1
            """)
        return (0..<rows.rowCount).map { row in
            LockHolder(
                backendID: rows.int(row, 0) ?? 0, startedAt: rows.string(row, 1) ?? "", name: rows.string(row, 2) ?? "",
                isOwnRole: rows.bool(row, 3) ?? false, isWriter: rows.bool(row, 4) ?? false,
                state: rows.string(row, 5), waitEvent: rows.string(row, 6),
                quiet: .milliseconds(rows.int(row, 7) ?? 0), client: rows.string(row, 8))
        }
    }

    /// Tells its server process to end, and waits up to a second for that. It may be gone already.
    func terminate(on connection: PostgresConnection) throws(PostgresError) {
        try connection.query(
            """
            SELECT pg_terminate_backend(pid, 1000)
            FROM pg_catalog.pg_stat_activity
            WHERE pid = $1::integer AND backend_start = $2::timestamptz
            """, parameters: [.integer(backendID), .text(startedAt)])
    }
}
