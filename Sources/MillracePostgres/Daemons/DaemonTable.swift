package import MillraceEvent

/// That a daemon is to tell of itself: when its row was due.
package struct DaemonQuestion: Sendable, Equatable {
    /// In microseconds since 1970; nil: there is no row.
    fileprivate var dueAt: Int?
}

/// `public.daemons`, over one session: which daemons write into this database. Blocks.
package struct DaemonTable {
    /// How late a daemon may be before it counts as silent: its clock of pauses, and the way to the server.
    private static let grace = Duration.seconds(10)
    /// Nobody waits longer for a row of this table; a session of the ledger has other things to do.
    private static let lockTimeout = Duration.milliseconds(200)

    package let connection: PostgresConnection

    package init(connection: PostgresConnection) {
        self.connection = connection
    }

    /// Writes a daemon's row. In a transaction of its own, whose COMMIT waits for no disk: should it be lost, the next one
    /// tells the same.
    ///
    /// - Parameters:
    ///   - due: when the row is written again at the latest, from now on.
    ///   - hasStopped: the daemon ends, in order.
    ///   - question: what `row` answers, as `question` gave it before the row was made; another one stays open.
    package func write(
        _ row: DaemonRow, due: Duration, hasStopped: Bool = false, answering question: DaemonQuestion? = nil
    ) throws(PostgresError) {
        try connection.transaction { () throws(PostgresError) in
            try connection.execute(
                "SET LOCAL synchronous_commit = off; SET LOCAL lock_timeout = \(Self.lockTimeout.milliseconds)")
            let parameters = Self.parameters(row, due, hasStopped, question)
            // Not ON CONFLICT: that locks the row first, and so writes another record of the log each time.
            guard try connection.query(Self.update, parameters: parameters).affectedRows == 0 else { return }
            try connection.query(Self.insert, parameters: parameters)
        }
    }

    /// Asks every daemon that has not stopped to tell of itself as it is from now on: its row is due at once. Who has an
    /// older question open gets this one instead.
    package func ask() throws(PostgresError) {
        try connection.execute("UPDATE public.daemons SET due_at = clock_timestamp() WHERE stopped_at IS NULL")
    }

    /// What a daemon is asked; nil: nothing. Of one that has no row, or whose row is late: to write it.
    package func question(to spool: UniqueID) throws(PostgresError) -> DaemonQuestion? {
        let row = try connection.query(
            """
            SELECT \(Self.microseconds("due_at")), due_at <= clock_timestamp()
            FROM public.daemons
            WHERE spool_id = $1::uuid
            """, parameters: [.text("\(spool)")])
        guard row.rowCount > 0 else { return DaemonQuestion(dueAt: nil) }
        return row.bool(0, 1) == true ? DaemonQuestion(dueAt: row.int(0, 0)) : nil
    }

    private static let columns = [
        "spool_id", "host", "version", "pid", "started_at", "stopped_at", "spool_position", "settled_position",
        "spool_bytes", "waiting_lines", "oldest_waiting_at", "listeners", "seen_at", "due_at",
    ]

    private static let values = [
        "$1::uuid", "$2::text", "$3::text", "$4::integer", time("$5"), "CASE WHEN $7 THEN clock_timestamp() END",
        "$8::bigint", "$9::bigint", "$10::bigint", "$11::bigint", time("$12"), "$13::text[]", "clock_timestamp()",
    ]

    private static let due = "clock_timestamp() + make_interval(secs => $6::double precision)"

    /// A question that the row does not answer, since it was made before, stays open.
    private static let update = """
        UPDATE public.daemons
        SET (\(columns.joined(separator: ", "))) = ROW (
            \(values.joined(separator: ", ")),
            CASE
                WHEN $7 OR due_at > clock_timestamp() OR \(microseconds("due_at")) = $14::bigint THEN \(due)
                ELSE due_at
            END
        )
        WHERE spool_id = $1::uuid
        """

    private static let insert = """
        INSERT INTO public.daemons (\(columns.joined(separator: ", ")))
        SELECT \(values.joined(separator: ", ")), \(due)
        FROM (SELECT $14::bigint) AS answered
        """

    /// Of microseconds since 1970.
    private static func time(_ parameter: String) -> String {
        "timestamptz 'epoch' + \(parameter)::bigint * interval '1 microsecond'"
    }

    private static func parameters(
        _ row: DaemonRow, _ due: Duration, _ hasStopped: Bool, _ question: DaemonQuestion?
    ) -> [PostgresParameter?] {
        [
            .text("\(row.spoolID)"), .text(row.host), .text(row.version), .integer(row.processID),
            .integer(row.startedAt.microseconds), .integer(due.components.seconds), .text(hasStopped ? "t" : "f"),
            .integer(row.spoolPosition), .integer(row.settledPosition), .integer(row.spoolBytes),
            .integer(row.waitingLines), row.oldestWaitingAt.map { .integer($0.microseconds) }, .array(row.listeners),
            question?.dueAt.map { .integer($0) },
        ]
    }

    /// Each daemon that has told of itself, by host; none where the table is not there yet. Who has its session is seen at
    /// the server, and not by what it told last.
    package func all() throws(PostgresError) -> [DaemonStanding] {
        guard try connection.hasRelation("public.daemons") else { return [] }
        // First: one that comes in between is away for a moment, rather than here without a session.
        let sessions = try sessionKeys()
        let rows = try connection.execute(
            """
            SELECT
                spool_id, host, version, pid, \(Self.microseconds("started_at")), spool_position, settled_position,
                spool_bytes, waiting_lines, \(Self.microseconds("oldest_waiting_at")), array_to_string(listeners, E'\\n'),
                \(Self.microseconds("seen_at")), \(Self.microseconds("stopped_at")),
                clock_timestamp() > due_at + interval '\(Self.grace.components.seconds) seconds',
                GREATEST((EXTRACT(EPOCH FROM clock_timestamp() - oldest_waiting_at) * 1000)::bigint, 0),
                due_at <= clock_timestamp()
            FROM public.daemons
            ORDER BY host, started_at, spool_id
            """)
        return (0..<rows.rowCount).compactMap { Self.standing(rows, $0, sessions) }
    }

    /// Forgets a spool that is gone for good. Returns whether there was a row.
    package func forget(_ spool: UniqueID) throws(PostgresError) -> Bool {
        try connection.query(
            "DELETE FROM public.daemons WHERE spool_id = $1::uuid", parameters: [.text("\(spool)")]
        ).affectedRows > 0
    }

    /// Forgets daemons that have been away for longer than `age`, unless they hold lines that nobody else has, or a user whose
    /// erasure waits for them. Returns their spools.
    package func forgetGone(olderThan age: Duration, timeout: Duration) throws(PostgresError) -> [String] {
        guard try connection.hasRelation("public.daemons", timeout: timeout) else { return [] }
        return try connection.query(
            """
            DELETE FROM public.daemons AS daemon
            WHERE due_at < clock_timestamp() - make_interval(secs => $1::double precision)
                AND waiting_lines = 0
                AND NOT EXISTS (
                    SELECT
                    FROM public.erasure_spools AS asked
                    WHERE asked.spool_id = daemon.spool_id AND asked.state <> 'done'
                )
            RETURNING spool_id
            """, parameters: [.integer(age.components.seconds)], timeout: timeout
        ).texts.map { $0[0] }
    }

    /// Of the sessions that hold a one-key advisory lock in this database.
    private func sessionKeys() throws(PostgresError) -> Set<Int64> {
        let locks = try connection.execute(
            """
            SELECT (classid::bigint << 32) | objid::bigint
            FROM pg_catalog.pg_locks
            WHERE locktype = 'advisory'
                AND objsubid = 1
                AND granted
                AND database = (SELECT oid FROM pg_catalog.pg_database WHERE datname = current_database())
            """)
        return Set((0..<locks.rowCount).compactMap { locks.int($0, 0).map { Int64($0) } })
    }

    private static func microseconds(_ column: String) -> String {
        "(EXTRACT(EPOCH FROM \(column)) * 1000000)::bigint"
    }

    private static func standing(
        _ rows: borrowing PostgresResult, _ row: Int, _ sessions: Set<Int64>
    ) -> DaemonStanding? {
        func time(_ column: Int) -> Timestamp? {
            rows.int(row, column).map { Timestamp(microseconds: Int64($0)) }
        }
        guard let spool = rows.string(row, 0).flatMap({ UniqueID($0) }) else { return nil }
        let facts = DaemonRow(
            spoolID: spool, host: rows.string(row, 1) ?? "", version: rows.string(row, 2) ?? "",
            processID: rows.count(row, 3), startedAt: time(4) ?? Timestamp(microseconds: 0),
            spoolPosition: UInt64(max(rows.count(row, 5), 0)), settledPosition: UInt64(max(rows.count(row, 6), 0)),
            spoolBytes: rows.count(row, 7), waitingLines: rows.count(row, 8), oldestWaitingAt: time(9),
            listeners: (rows.string(row, 10) ?? "").split(separator: "\n").map(String.init))
        let hasSession = sessions.contains(AdvisoryLockKeys(spool: spool).sessionKey)
        let state: DaemonStanding.State =
            if time(12) != nil {
                .stopped
            } else if !hasSession {
                .away
            } else if rows.bool(row, 13) == true {
                .silent
            } else {
                .here
            }
        return DaemonStanding(
            row: facts, state: state, seenAt: time(11) ?? Timestamp(microseconds: 0), stoppedAt: time(12),
            lag: rows.int(row, 14).map { .milliseconds($0) }, hasSession: hasSession,
            isAsked: rows.bool(row, 15) == true)
    }
}
