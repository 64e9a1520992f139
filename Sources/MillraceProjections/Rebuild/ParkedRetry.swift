internal import MillraceJSON
package import MillracePostgres

/// Tries a live version's parked events again: after its tables were changed, or whenever someone wants to know. Blocks;
/// the connection must be idle.
///
/// An event is folded again from its row into the fold that lacks it, in one transaction with the end of its parking; what
/// is refused again is parked again. Events that wait are settled anew with all that contends with them. Counters, tops
/// and uniques are left out: one row stands for several of their events there, and folding twice would count twice.
package struct ParkedRetry {
    /// Rows of `projections.parked` in one transaction.
    private static let pageMax = 500

    private let connection: PostgresConnection
    private let pack: PackDefinition
    private let lock: ProjectionsLock
    /// Limit of one statement.
    private let timeout: Duration

    package init(connection: PostgresConnection, pack: PackDefinition, timeout: Duration = .seconds(3600)) {
        self.connection = connection
        self.pack = pack
        self.timeout = timeout
        lock = ProjectionsLock(connection: connection)
    }

    /// Throws `ProjectionsError` and `PostgresError`.
    package func run() throws -> ParkedRetryReport {
        try lock.hold(alone: false)
        defer { lock.release() }
        guard let live = try PackVersion.all(of: pack.name, connection).live, live.isMade(from: pack) else {
            throw ProjectionsError(
                .definitionChanged, pack: pack.name, "no version is live that was made from these files",
                hint: "Run `millrace projections rebuild \(pack.name)`: it tries all events again.")
        }
        let all = try FoldTarget.load(versionID: live.id, schema: live.schema, pack: pack, on: connection)
        for fold in pack.folds where all.tables[HistoryTables.events(of: fold.table)] != nil {
            try lock.transaction { () throws -> Void in
                try connection.execute(
                    HistoryTables.followChecks(of: fold.table, schema: live.schema), timeout: timeout)
            }
        }
        var report = ParkedRetryReport(pack: pack.name, version: live.version, tried: 0, isGone: 0, left: [])
        let before = try count(live.id)
        // Together, because rows of one may go with those of another.
        var repeatable = pack
        repeatable.folds = pack.folds.filter { fold in
            switch fold.kind {
            case .entity, .append: true
            case .counter, .top, .unique: false
            }
        }
        let target = FoldTarget(versionID: live.id, schema: live.schema, pack: repeatable, tables: all.tables)
        for table in PartitionedTable.allCases {
            let folds = repeatable.folds.filter { $0.rowsTable == table }.map(\.name)
            if !folds.isEmpty { try retry(folds, of: table, target, &report) }
        }
        report.left = try left(live.id)
        report.wentIn = max(0, before - report.left.reduce(0) { $0 + $1.count })
        return report
    }

    private func retry(
        _ folds: [String], of table: PartitionedTable, _ target: FoldTarget, _ report: inout ParkedRetryReport
    ) throws {
        let rows = BatchRows(connection: connection, pack: target.pack)
        let events = BatchFold(slot: Rebuild.slot)
        let start = try connection.execute("SELECT clock_timestamp()::text").string(0, 0) ?? ""
        var last = "00000000-0000-0000-0000-000000000000"
        while true {
            let isLast = try lock.transaction { () throws -> Bool in
                try connection.execute(
                    "\(ProjectionsLock.sharedStatement); SET LOCAL millrace.slot = \(Rebuild.slot); SET LOCAL jit = off"
                )
                let page = try connection.query(
                    """
                    SELECT id, batch_id
                    FROM projections.parked
                    WHERE version_id = $1::integer AND fold = ANY ($2::text[]) AND parked_at <= $3::timestamptz AND id > $4::uuid
                    ORDER BY id
                    LIMIT \(Self.pageMax)
                    FOR UPDATE
                    """,
                    parameters: [
                        .integer(target.versionID), .array(folds), .text(start), .text(last),
                    ], timeout: timeout)
                guard page.rowCount > 0 else { return true }
                let ids = (0..<page.rowCount).compactMap { page.string($0, 0) }
                last = ids.last ?? last
                events.begin([target])
                events.settlesAll()
                report.tried += try read(ids, of: table, folds, target, rows, into: events)
                report.isGone += try left(of: ids)
                let outcome = try events.apply(batchID: Int64(page.int(0, 1) ?? 0), on: connection)
                if let failure = outcome.failures.first { throw failure.error }
                try AuditLog.record(
                    .projectionRetryParked, target.pack.name,
                    after: [
                        "folds": .strings(folds), "events": .integer(ids.count),
                        "parked_again": .integer(outcome.parkedCount),
                    ], on: connection)
                return false
            }
            if isLast { return }
        }
    }

    /// Adds the events' rows, and ends the parking of those that don't wait, in all the folds, since all get them again.
    /// Returns how many there are: rows of a retired month are gone.
    private func read(
        _ ids: [String], of table: PartitionedTable, _ folds: [String], _ target: FoldTarget, _ rows: BatchRows,
        into events: BatchFold
    ) throws(PostgresError) -> Int {
        let list = "'{\(ids.joined(separator: ","))}'"
        try connection.execute(
            "SET LOCAL enable_seqscan = off; SET LOCAL enable_hashjoin = off; SET LOCAL enable_mergejoin = off")
        let count = try rows.read(
            table, from: "public.\(table.rawValue)",
            where: """
                (created_at, id, tenant_id) IN (
                    SELECT event_at, event_id, tenant_id FROM projections.parked WHERE id = ANY (\(list))
                )
                """, into: events, timeout: timeout
        ) { _ in }
        try connection.query(
            """
            WITH e AS MATERIALIZED (
                SELECT created_at, id, tenant_id
                FROM public.\(table.rawValue)
                WHERE (created_at, id, tenant_id) IN (
                    SELECT event_at, event_id, tenant_id FROM projections.parked WHERE id = ANY ($1::uuid[])
                )
            )
            DELETE FROM projections.parked AS p
            USING projections.parked AS given, e
            WHERE given.id = ANY ($1::uuid[]) AND e.created_at = given.event_at AND e.id = given.event_id
                AND e.tenant_id = given.tenant_id
                AND p.version_id = $2::integer AND p.fold = ANY ($3::text[]) AND p.code <> $4
                AND p.event_at = given.event_at AND p.event_id = given.event_id AND p.tenant_id = given.tenant_id
            """,
            parameters: [.array(ids), .integer(target.versionID), .array(folds), .text(ParkedEvent.waitingCode)],
            timeout: timeout)
        try connection.execute(
            """
            SET LOCAL enable_seqscan TO DEFAULT; SET LOCAL enable_hashjoin TO DEFAULT; SET LOCAL enable_mergejoin TO DEFAULT
            """)
        return count
    }

    /// How many of them neither wait nor were read.
    private func left(of ids: [String]) throws(PostgresError) -> Int {
        try connection.query(
            "SELECT count(*) FROM projections.parked WHERE id = ANY ($1::uuid[]) AND code <> $2",
            parameters: [.array(ids), .text(ParkedEvent.waitingCode)]
        ).count(0, 0)
    }

    private func count(_ version: Int32) throws(PostgresError) -> Int {
        try connection.execute("SELECT count(*) FROM projections.parked WHERE version_id = \(version)").count(0, 0)
    }

    private func left(_ version: Int32) throws(PostgresError) -> [ParkedRetryReport.Left] {
        let rows = try connection.execute(
            """
            SELECT fold, code, COALESCE(sqlstate, ''), COALESCE(constraint_name, ''), min(message), count(*)
            FROM projections.parked
            WHERE version_id = \(version)
            GROUP BY 1, 2, 3, 4
            ORDER BY 6 DESC, 1, 2, 3, 4
            """, timeout: timeout)
        return (0..<rows.rowCount).map { row in
            ParkedRetryReport.Left(
                fold: rows.string(row, 0) ?? "", code: rows.string(row, 1) ?? "", sqlState: rows.string(row, 2) ?? "",
                constraint: rows.string(row, 3) ?? "", message: rows.string(row, 4) ?? "", count: rows.count(row, 5))
        }
    }
}

/// What became of a version's parked events.
package struct ParkedRetryReport: Sendable, Equatable {
    /// Events that stay parked for one reason.
    package struct Left: Sendable, Equatable {
        package var fold: String
        package var code: String
        /// Empty: none.
        package var sqlState: String
        /// Empty: none.
        package var constraint: String
        /// Of one of them.
        package var message: String
        package var count: Int
    }

    package var pack: String
    package var version: Int
    package var tried: Int
    package var wentIn = 0
    /// Events whose rows are gone with their month.
    package var isGone: Int
    package var left: [Left]
}
