internal import MillraceJSON
package import MillracePostgres

/// Builds a version of a pack beside the live one and puts it in its place. Blocks; the connection must be idle.
///
/// Enters: the pack's files. Leaves: a live version that holds every committed batch once.
///
/// Invariants
/// 1. A batch is folded into the version if and only if its ledger row says so: both in one transaction, whoever does it.
/// 2. From the moment the version is in the catalog, writers fold new batches into it; this folds the others.
/// 3. The switch happens while no batch is under way, after the last batch: readers see the old version or the new one.
///
/// Crash: the page under way is rolled back; the next run goes on after the last one.
/// Backpressure: a page is what it holds in memory: 20,000 rows, or the 100,000 of a span of joined batches.
package struct Rebuild {
    /// The rebuild's own, beside the writers' 0 ... 15: no writer waits for its counters, nor it for theirs.
    package static let slot = 16
    /// Times that it goes through the ledger before it folds what is left during the switch.
    private static let passesMax = 4

    private let connection: PostgresConnection
    private let pack: PackDefinition
    private let lock: ProjectionsLock
    private let installer: PackInstaller
    private let rows: BatchRows
    /// Of ledger rows that are joined first, since to mark one is as much work as to mark a batch.
    private let joinAge: Duration
    /// Limit of one statement.
    private let timeout: Duration
    private let fold = BatchFold(slot: Rebuild.slot)

    /// - Parameter joinAge: of the youngest rows of the ledger that may be joined, `database.ledger_join_age`.
    package init(
        connection: PostgresConnection, pack: PackDefinition, joinAge: Duration, timeout: Duration = .seconds(4 * 3600)
    ) {
        self.connection = connection
        self.pack = pack
        self.joinAge = joinAge
        self.timeout = timeout
        lock = ProjectionsLock(connection: connection)
        installer = PackInstaller(connection: connection)
        rows = BatchRows(connection: connection, pack: pack)
    }

    /// Builds to the end, from where an earlier run stopped. Throws `ProjectionsError` and `PostgresError`.
    package func run(progress: (RebuildProgress) -> Void) throws -> RebuildReport {
        try lock.hold(alone: true)
        defer { lock.release() }
        try checkVersion()
        try Partitions(connection: connection).summarizeBatches(timeout: timeout)
        try joinLedger()
        var report = RebuildReport(
            pack: pack.name, version: pack.version, isContinued: false, batches: 0, rows: 0, parked: 0, unread: 0,
            sealedMonths: [])
        let version = try begin(&report)
        let target = try FoldTarget.load(
            versionID: version.id, schema: version.schema, pack: pack, on: connection)
        var state = try remaining(of: version)
        progress(state)
        for _ in 0..<Self.passesMax {
            var pages = BatchPages(unfolded: version.id, connection: connection)
            var isClean = true
            while let done = try foldPageAlone(&pages, target) {
                isClean = false
                report.batches += done.batches
                report.rows += done.rows
                state.advance(batches: done.batches, rows: done.rows)
                progress(state)
            }
            if isClean { break }
        }
        state.step = .switching
        progress(state)
        try finish(version, target, &report)
        return report
    }

    /// Drops the version that is being built, if there is one. Returns whether there was.
    @discardableResult
    package static func abandon(_ pack: String, on connection: PostgresConnection) throws -> Bool {
        let lock = ProjectionsLock(connection: connection)
        try lock.hold(alone: true)
        defer { lock.release() }
        return try lock.alone {
            guard let building = try PackVersion.all(of: pack, connection).building else { return false }
            try PackInstaller(connection: connection).drop(building)
            try AuditLog.record(
                .projectionAbandon, pack, before: ["version": .integer(building.version)], on: connection)
            return true
        }
    }

    // MARK: - Steps

    /// Refuses to put another definition in the place of a version without saying so by its number.
    private func checkVersion() throws {
        guard try PackVersion.isCatalogThere(connection) else {
            throw ProjectionsError(
                .notMigrated, "the database has no catalog of projections", hint: "Run `millrace migrate up`.")
        }
        let standing = PackStanding.all([pack], try PackVersion.all(connection)).first { $0.pack == pack.name }
        switch standing?.state {
        case .changed:
            throw ProjectionsError(
                .definitionChanged, pack: pack.name,
                "its files changed, and its version is still \(pack.version)",
                hint: "Raise `version` in its pack.toml, or put the old files back.")
        case .newer:
            throw ProjectionsError(
                .newerInDatabase, pack: pack.name,
                "version \(standing?.live?.version ?? 0) is live, these files are of version \(pack.version)",
                hint: "Run the newer Millrace, or the pack's newer files; going back wants a higher number too.")
        case .current, .missing, .outdated, .building, .unconfigured, nil: break
        }
        guard let distributed = try CitusCatalog(connection)?.tables() else { return }
        let own = Set(pack.folds.map { "\(PackVersion.liveSchema).\($0.table)" })
        let spread = distributed.map(\.relation).filter(own.contains)
        guard let first = spread.first else { return }
        throw ProjectionsError(
            .tablesDistributed, pack: pack.name,
            "\(spread.joined(separator: ", ")): the workers have them, and the rebuilt ones would be on the coordinator",
            hint: "SELECT undistribute_table('\(first)'), run this again, and distribute it again if it is that large.")
    }

    /// Joins the ledger's old rows; writers fold what comes meanwhile.
    private func joinLedger() throws(PostgresError) {
        var join = LedgerJoin(connection: connection, age: joinAge, timeout: timeout)
        repeat {
            do throws(PostgresError) {
                try join.joinPortion()
            } catch {
                // Someone holds a row, to retry a dead letter: it will be folded as it is.
                guard error.sqlState == .lockNotAvailable else { throw error }
                return
            }
        } while !join.isAtEnd
    }

    /// The version to be built: the half-built one, or a new one.
    private func begin(_ report: inout RebuildReport) throws -> PackVersion {
        if let building = try PackVersion.all(of: pack.name, connection).building, building.isMade(from: pack) {
            report.isContinued = true
            return building
        }
        report.sealedMonths = try lock.alone {
            let versions = try PackVersion.all(of: pack.name, connection)
            // Made from other files: what it holds is of no use any more.
            if let building = versions.building { try installer.drop(building) }
            _ = try installer.make(pack, batches: try installer.ledgerCount())
            try AuditLog.record(
                .projectionBuild, pack.name, after: ["version": .integer(pack.version)], on: connection)
            guard versions.live != nil else { return [] }
            return try SealedMonths(pack: pack, connection: connection).takeOver(timeout: timeout)
        }
        guard let building = try PackVersion.all(of: pack.name, connection).building else {
            throw ProjectionsError(
                .busy, pack: pack.name, "the version that was begun is gone",
                hint: "Run this again.")
        }
        return building
    }

    private func remaining(of version: PackVersion) throws(PostgresError) -> RebuildProgress {
        let left = try connection.execute(
            """
            SELECT COALESCE(sum(batches), 0), COALESCE(sum(rows), 0)
            FROM public.ingest_batches
            WHERE NOT folded @> ARRAY[\(version.id)]
            """, timeout: timeout)
        let batches = left.int(0, 0) ?? 0
        return RebuildProgress(
            step: .folding, batchesDone: max(0, version.batchesTotal - batches),
            batchesTotal: max(version.batchesTotal, batches), rows: 0, rowsLeft: left.int(0, 1) ?? 0)
    }

    /// A page in a transaction of its own, again when it and a writer waited for each other.
    private func foldPageAlone(
        _ pages: inout BatchPages, _ target: FoldTarget
    ) throws -> (batches: Int, rows: Int)? {
        var backoff = Backoff(min: .milliseconds(50), max: .seconds(1))
        while true {
            var attempt = pages
            do {
                let done = try lock.transaction { try foldPage(&attempt, target) }
                pages = attempt
                return done
            } catch let error as PostgresError where error.sqlState == .deadlockDetected && backoff.attempts < 10 {
                try connection.interrupt.pause(for: backoff.next())
            }
        }
    }

    /// Folds the next page in the open transaction; nil when there is none.
    private func foldPage(_ pages: inout BatchPages, _ target: FoldTarget) throws -> (batches: Int, rows: Int)? {
        // Before the rows are seen.
        try connection.execute(ConversationStatuses.sharedStatement, timeout: timeout)
        guard let page = try pages.next(timeout: timeout) else { return nil }
        guard let last = page.batchIDs?.upperBound else { return (0, 0) }
        fold.begin([target])
        let count = try rows.read(page, into: fold, timeout: timeout)
        try connection.execute("SET LOCAL millrace.slot = \(Self.slot)")
        let outcome = try fold.apply(batchID: last, on: connection)
        if let failure = outcome.failures.first { throw failure.error }
        try connection.execute(
            """
            UPDATE public.ingest_batches
            SET folded = ARRAY(
                SELECT id FROM projections.versions WHERE id = ANY (folded)
            ) || \(target.versionID)
            WHERE \(page.ledgerRows);
            UPDATE projections.versions
            SET batches_done = LEAST(batches_done + \(page.batches), batches_total)
            WHERE id = \(target.versionID)
            """, timeout: timeout)
        return (page.batches, count)
    }

    /// Folds the last batches and switches, while no batch is under way.
    private func finish(_ version: PackVersion, _ target: FoldTarget, _ report: inout RebuildReport) throws {
        let last = try aloneBehindOutbox {
            var done = (batches: 0, rows: 0)
            var pages = BatchPages(unfolded: version.id, connection: connection)
            while let page = try foldPage(&pages, target) {
                done = (done.batches + page.batches, done.rows + page.rows)
            }
            let parked = try connection.execute(
                """
                SELECT count(*), count(DISTINCT (event_at, event_id, tenant_id)) FILTER (WHERE code = '\(ParkedEvent.unreadCode)')
                FROM projections.parked
                WHERE version_id = \(version.id)
                """)
            let live = try PackVersion.all(of: pack.name, connection).live
            try installer.putLive(version.id, of: pack.name, replacing: live)
            try AuditLog.record(
                .projectionSwitch, pack.name, before: live.map { ["version": .integer($0.version)] },
                after: ["version": .integer(version.version)], on: connection)
            return (done, parked.int(0, 0) ?? 0, parked.int(0, 1) ?? 0)
        }
        report.batches += last.0.batches
        report.rows += last.0.rows
        report.parked = last.1
        report.unread = last.2
    }

    /// `ProjectionsLock.alone`, at a moment when no event of the pack waits in the outbox: what writes the pack's tables
    /// itself (a checkout) has put its rows into the live version, and the new one has them when their events are folded.
    private func aloneBehindOutbox<Answer>(_ body: () throws -> Answer) throws -> Answer {
        var backoff = Backoff(min: .milliseconds(100), max: .seconds(2))
        while true {
            do {
                return try lock.alone {
                    let waiting = try connection.execute(
                        "SELECT count(*) FROM public.outbox WHERE starts_with(event_type, '\(pack.name).')")
                    let count = waiting.int(0, 0) ?? 0
                    guard count == 0 else {
                        throw ProjectionsError(
                            .outboxWaiting, pack: pack.name,
                            "\(count) of its events wait in the outbox, so the new tables lack their rows",
                            hint: "Start the daemon, which empties the outbox, and run this again: it goes on.")
                    }
                    return try body()
                }
            } catch let error as ProjectionsError where error.code == .outboxWaiting && backoff.attempts < 30 {
                try connection.interrupt.pause(for: backoff.next())
            }
        }
    }
}

/// How far a rebuild is.
package struct RebuildProgress: Sendable, Equatable {
    package enum Step: String, Sendable {
        case folding
        /// Waiting for the moment without a batch under way, to switch.
        case switching
    }

    package var step: Step
    /// Of batches that were there when the version was begun, or that nobody else folded since.
    package var batchesDone: Int
    package var batchesTotal: Int
    /// Read in this run.
    package var rows: Int
    /// Still to be read, as the ledger counts them.
    package var rowsLeft: Int

    fileprivate mutating func advance(batches: Int, rows: Int) {
        batchesDone += batches
        batchesTotal = max(batchesTotal, batchesDone)
        self.rows += rows
        rowsLeft = max(0, rowsLeft - rows)
    }
}

/// What a rebuild did.
package struct RebuildReport: Sendable, Equatable {
    package var pack: String
    package var version: Int
    /// Whether this continued an earlier run.
    package var isContinued: Bool
    /// Folded in this run; the writers folded the others.
    package var batches: Int
    package var rows: Int
    /// Events whose row the tables refused.
    package var parked: Int
    /// Events among them whose rows are too large to read.
    package var unread: Int
    /// Months whose rows were taken over as they were, `2026-10`.
    package var sealedMonths: [String]
}
