package import MillraceEvent
internal import MillraceJSON
package import MillracePostgres
internal import MillraceProjections

/// Takes a month out of its table and back: retires, archives, drops and restores it.
///
/// Enters: a month and its goal. Leaves: rows in their table, in an archive, or in both; never in neither.
///
/// Invariants
/// 1. A month's table is dropped only when an archive of it was loaded again and held the same rows, and when the table,
///    locked, still holds them.
/// 2. A month is shut only after every daemon has put in what it had acknowledged before (`SpoolDrain`). From then on
///    nobody puts rows in: each batch asks before its COMMIT (`BatchStatements.attachment`), and a late row is a dead letter.
/// 3. What is done is written down in the transaction that does it, or it is done again without harm.
/// 4. One session at a time is at a month (`AdvisoryLock.retirement`), and no rebuild or recount of projections meanwhile
///    where the month leaves or comes back.
///
/// Crash: the next call goes on from `partition_months.state`; files that were being written are written anew.
/// Blocks; the connection must be idle, used by nobody else, and its role must own the tables.
package struct MonthLifecycle {
    let connection: PostgresConnection
    let configuration: ArchiveConfiguration
    let options: PartitionOptions
    let version: String
    let missed: MonthReturn
    /// Whose daemons are not waited for.
    let passedSpools: Set<UniqueID>
    let progress: (MonthProgress) -> Void

    /// - Parameters:
    ///   - version: of this Millrace, for manifests.
    ///   - passedSpools: whose daemons may be away for good: what they hold of a month that leaves becomes dead letters.
    ///   - progress: is told how far the month is, about every thousand rows.
    package init(
        connection: PostgresConnection, configuration: ArchiveConfiguration, options: PartitionOptions, version: String,
        missed: MonthReturn, passedSpools: Set<UniqueID> = [], progress: @escaping (MonthProgress) -> Void = { _ in }
    ) {
        self.connection = connection
        self.configuration = configuration
        self.options = options
        self.version = version
        self.missed = missed
        self.passedSpools = passedSpools
        self.progress = progress
    }

    var partitions: Partitions { Partitions(connection: connection, options: options) }

    func layout(_ record: MonthRecord) -> ArchiveLayout {
        ArchiveLayout(directory: configuration.directory, table: record.table, month: record.month)
    }

    /// Moves the month on until it is at its goal. Returns the record as it is then.
    ///
    /// - Parameters:
    ///   - isAutomatic: whether a daemon may go on with it.
    ///   - now: microseconds since 1970.
    package func move(
        _ month: PartitionMonth, of table: PartitionedTable, to goal: MonthGoal, isAutomatic: Bool, now: Int64
    ) throws -> MonthRecord {
        try whileAlone(with: month, of: table) {
            var record =
                try MonthTable.record(of: month, in: table, on: connection) ?? MonthRecord(table: table, month: month)
            try check(record, goal, now)
            do {
                try step(&record, goal, isAutomatic)
            } catch {
                note(error, in: record)
                throw error
            }
            return record
        }
    }

    /// Writes and verifies an archive of a month whatever its state, and leaves it where it is.
    package func archive(_ month: PartitionMonth, of table: PartitionedTable, now: Int64) throws -> MonthRecord {
        try whileAlone(with: month, of: table) {
            var record =
                try MonthTable.record(of: month, in: table, on: connection) ?? MonthRecord(table: table, month: month)
            try check(record, .verified, now)
            switch record.state {
            case .verified, .dropped: return record
            case .detached, .archived:
                try step(&record, .verified, record.isAutomatic)
                return record
            case .live, .restored: break
            case .sealing, .detaching, .restoring, .attaching:
                throw Self.unfinished(record)
            }
            let manifest = try writeArchive(of: &record)
            guard try verifyArchive(manifest, of: record) else {
                throw ArchiveError(
                    .archiveMismatch, "the archive of \(record.month.label) does not hold what was written",
                    hint: "Check the disk, and archive.command; the month is where it was.")
            }
            try save(&record, .partitionArchive)
            try removeStaged(record)
            return record
        }
    }

    /// Vacuums and freezes a month that is over, once.
    package func close(_ month: PartitionMonth, of table: PartitionedTable) throws -> Bool {
        try whileAlone(with: month, of: table) {
            var record =
                try MonthTable.record(of: month, in: table, on: connection) ?? MonthRecord(table: table, month: month)
            guard record.closedAt == nil, record.state == .live || record.state == .restored else { return false }
            // Pages with rows whose commit is not on disk yet would not be marked as visible to all; this commit waits for theirs.
            try connection.transaction { () throws(PostgresError) in
                try connection.execute(
                    """
                    SET LOCAL synchronous_commit = on;
                    SELECT pg_logical_emit_message(true, 'millrace', 'vacuum')
                    """)
            }
            try connection.execute(
                "VACUUM (FREEZE, ANALYZE) public.\(record.relation)", timeout: configuration.statementTimeout)
            record.closedAt = try connection.execute("SELECT now()::text").string(0, 0)
            try MonthTable.save(record, on: connection)
            return true
        }
    }

    // MARK: - Steps

    /// Steps of a month that nobody disturbs; more are those of one that somebody writes into meanwhile, or of a disk that
    /// doesn't keep what it was given.
    private static let stepsMax = 24

    private func step(_ record: inout MonthRecord, _ goal: MonthGoal, _ isAutomatic: Bool) throws {
        for _ in 0..<Self.stepsMax where try !take(&record, goal, isAutomatic) { return }
        throw ArchiveError(
            .archiveMismatch, "the archive of \(record.month.label) differs from its table again and again",
            hint: "Find out who writes into \(record.relation), and check the archive's disk; nothing was dropped.")
    }

    /// One step. Returns whether there is more to do.
    private func take(_ record: inout MonthRecord, _ goal: MonthGoal, _ isAutomatic: Bool) throws -> Bool {
        let attachment = try partitions.attachment(of: record.month, in: record.table)
        switch MonthStateMachine.next(record.state, goal: goal, attachment: attachment) {
        case .done:
            guard record.goal != goal || record.error != nil else { return false }
            record.goal = goal
            record.error = nil
            try MonthTable.save(record, on: connection)
            return false
        case .seal:
            record.goal = goal
            record.isAutomatic = isAutomatic
            try set(&record, .sealing, .partitionRetire)
        case .shut: try shut(&record)
        case .detach: try detach(&record)
        case .archive: try archive(&record)
        case .verify: try verify(&record)
        case .drop: try drop(&record)
        case .beginRestore:
            record.goal = goal
            try set(&record, .restoring, .partitionRestore)
        case .load: try load(&record)
        case .beginAttach:
            record.goal = goal
            try set(&record, .attaching, .partitionRestore)
        case .attach: try attach(&record, goal)
        case .open:
            record.goal = .live
            try set(&record, .live, .partitionRestore)
        case .abandonRestore:
            record.goal = goal
            try set(&record, .dropped, nil)
        case .refuseUnknown: throw Self.unknown(record)
        case .refuseForeign: throw Self.foreign(record)
        case .refuseUnfinished: throw Self.unfinished(record)
        }
        return true
    }

    /// Writes a state down, with its row of the audit log.
    func set(_ record: inout MonthRecord, _ state: MonthState, _ action: AuditAction?) throws(PostgresError) {
        var moved = record
        moved.state = state
        try save(&moved, action)
        record = moved
    }

    private func save(_ record: inout MonthRecord, _ action: AuditAction?) throws(PostgresError) {
        record.error = nil
        let saved = record
        try connection.transaction { () throws(PostgresError) in try write(saved, action) }
    }

    /// In the open transaction.
    func write(_ record: MonthRecord, _ action: AuditAction?) throws(PostgresError) {
        try MonthTable.save(record, on: connection)
        guard let action else { return }
        try AuditLog.record(
            action, record.relation,
            after: .object(
                [("state", .string(record.state.rawValue))] + (record.rows.map { [("rows", .integer($0))] } ?? [])),
            on: connection)
    }

    /// Keeps the reason where operators look; what was thrown stays the error.
    private func note(_ error: any Error, in record: MonthRecord) {
        guard connection.isUsable, connection.transactionStatus == .idle else { return }
        do throws(PostgresError) {
            guard var now = try MonthTable.record(of: record.month, in: record.table, on: connection) else { return }
            now.error = String("\(error)".prefix(1000))
            try MonthTable.save(now, on: connection)
        } catch { return }
    }

    // MARK: - Who may

    private func check(_ record: MonthRecord, _ goal: MonthGoal, _ now: Int64) throws {
        guard record.month.upperMicroseconds <= now || goal == .live || goal == .restored else {
            throw ArchiveError(
                .monthOpen, "the month \(record.month.label) is not over", hint: "Retire it after its end (UTC).")
        }
        guard try MonthTable.isThere(connection) else {
            throw ArchiveError(
                .monthUnfinished, "the database does not know of retired months yet", hint: "Run `millrace migrate up`."
            )
        }
        // Rows of other tenants would be left out in silence, were this role bound by policies.
        try connection.execute("SET row_security = off")
        guard let other = try partitions.attached(to: record.table)[record.month] else { return }
        guard other == "public.\(record.relation)" else {
            throw ArchiveError(
                .monthForeign, "the month \(record.month.label) of \(record.table.rawValue) is the partition \(other)",
                hint: "`millrace partitions list` says how it gets its name back; a partition of several months stays.")
        }
    }

    /// Runs `body` while no other session is at the month.
    private func whileAlone<Answer>(
        with month: PartitionMonth, of table: PartitionedTable, _ body: () throws -> Answer
    ) throws -> Answer {
        let key = "\(AdvisoryLock.retirement.rawValue), hashtext('public.\(table.partitionName(month))')"
        var backoff = Backoff(min: .milliseconds(50), max: .milliseconds(500))
        // The session of a command that was killed lives on for a second.
        while try connection.execute("SELECT pg_try_advisory_lock(\(key))").bool(0, 0) != true {
            guard backoff.attempts < 12 else {
                throw ArchiveError(
                    .monthBusy, "another command or daemon is at the month \(month.label) of \(table.rawValue)",
                    hint: "Wait for it: `millrace partitions list` shows how far it is.")
            }
            try connection.interrupt.pause(for: backoff.next())
        }
        defer { release(key) }
        return try body()
    }

    private func release(_ key: String) {
        guard connection.isUsable, connection.transactionStatus == .idle else { return connection.close() }
        do throws(PostgresError) {
            try connection.execute("SELECT pg_advisory_unlock(\(key))")
        } catch { connection.close() }
    }

    /// Runs `body` while no rebuild or recount of projections goes by which months there are.
    func withoutRebuilds(_ body: () throws -> Void) throws {
        let lock = ProjectionsLock(connection: connection)
        try lock.hold(alone: true)
        defer { lock.release() }
        try body()
    }

    private static func unknown(_ record: MonthRecord) -> ArchiveError {
        ArchiveError(
            .monthUnknown, "there is no table of the month \(record.month.label) of \(record.table.rawValue)",
            hint: "`millrace partitions list` shows the months there are.")
    }

    private static func foreign(_ record: MonthRecord) -> ArchiveError {
        ArchiveError(
            .monthForeign, "\(record.relation) is there, and is not the month that was dropped",
            hint: "Give that table another name, then try again.")
    }

    private static func unfinished(_ record: MonthRecord) -> ArchiveError {
        ArchiveError(
            .monthUnfinished,
            "the month \(record.month.label) of \(record.table.rawValue) is \(record.state.rawValue), on its way to be "
                + record.goal.rawValue,
            hint: "End that first: `millrace partitions \(record.goal.command) \(record.month.label)` goes on with it.")
    }
}
