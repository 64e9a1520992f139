internal import MillraceEvent
internal import MillracePostgres
internal import MillraceProjections

/// Reads the database's part of `status`. Blocks; cheap whatever the tables hold.
struct StatusQuery {
    let connection: PostgresConnection

    func database(at now: Timestamp) throws -> StatusReport.Database {
        let pending = try Migrator(connection: connection).status().count { $0.state == .pending }
        var database = StatusReport.Database(
            version: try connection.execute("SHOW server_version").string(0, 0) ?? "", migrationsPending: pending,
            batches: 0, lastCommitAt: nil, rowsPerSecond: 0, batchesPerSecond: 0, tables: [], openDeadLetters: [],
            parked: [])
        guard try connection.hasRelation("public.dead_letters") else { return database }
        try readLedger(&database)
        try readTables(&database, at: now)
        let letters = try connection.execute(
            """
            SELECT code, count(*)
            FROM public.dead_letters
            WHERE state = 'open'
            GROUP BY code
            ORDER BY count(*) DESC, code
            """)
        database.openDeadLetters = (0..<letters.rowCount).map { row in
            .init(code: letters.string(row, 0) ?? "", letters: letters.count(row, 1))
        }
        database.parked = try ParkedCount.all(on: connection).map { .init($0) }
        return database
    }

    /// A batch_id begins with the time of its making, so the newest are found by its index.
    private func readLedger(_ database: inout StatusReport.Database) throws(PostgresError) {
        let ledger = try connection.execute(
            """
            SELECT
                count(*) FILTER (WHERE committed_at > now() - interval '1 minute'),
                COALESCE(sum(rows) FILTER (WHERE committed_at > now() - interval '1 minute'), 0),
                max(committed_at)::text,
                (
                    SELECT GREATEST(reltuples, 0)::bigint
                    FROM pg_catalog.pg_class
                    WHERE oid = to_regclass('public.ingest_batches')
                ) + (
                    SELECT COALESCE(sum(batches - 1), 0)
                    FROM public.ingest_batches
                    WHERE last_batch_id IS NOT NULL
                )
            FROM (
                SELECT committed_at, rows
                FROM public.ingest_batches
                ORDER BY batch_id DESC
                LIMIT 20000
            ) AS newest
            """)
        database.batchesPerSecond = Double(ledger.count(0, 0)) / 60
        database.rowsPerSecond = Double(ledger.count(0, 1)) / 60
        database.lastCommitAt = ledger.string(0, 2)
        database.batches = ledger.count(0, 3)
    }

    private func readTables(_ database: inout StatusReport.Database, at now: Timestamp) throws(PostgresError) {
        let partitions = try Partitions(connection: connection).list()
        // Of those ahead only this one, which rows go to: the daemon makes the others.
        let standings = try Partitions(connection: connection).survey(ahead: 0, from: now.microseconds)
        database.tables = PartitionedTable.allCases.map { table in
            let own = partitions.filter { $0.table == table }
            let months = Set(own.filter { !$0.isDetachPending }.compactMap(\.month))
            return .init(
                table: table.rawValue, rowsEstimate: own.reduce(0) { $0 + $1.rowsEstimate },
                bytes: own.reduce(0) { $0 + $1.bytes },
                monthsAhead: PartitionMonth.countAhead(months, at: now.microseconds),
                wrongMonths: standings.filter { $0.table == table && $0.isWrong }.map {
                    "\($0.name): \($0.state.rawValue): \($0.fix ?? "")"
                },
                detachedMonths: standings.filter { $0.table == table && $0.state == .detached }.map(\.name))
        }
    }
}
