package import MillraceEvent
package import MillracePostgres

/// Erases users in the database: one session at a time, the daemon's or a command's. Blocking; the connection must be idle.
///
/// Enters: `erasures` that are queued. Leaves: tables without the users, counts that equal a recount, and spools that are
/// told to do their part.
///
/// Invariants
/// 1. Rows and the counts of them change in one transaction.
/// 2. Every step changes nothing when it is done again, so that whatever ends it, the next run goes on.
/// 3. The id is kept until no table and no spool has it; then only its hash is.
///
/// Crash: the next run repeats the month that was under way. Backpressure: months are gone through in pages; a batch waits
/// for one page at most.
package struct ErasureRun {
    /// Where it is.
    package enum Step: Sendable, Equatable {
        case outbox
        case waitingForSpools(left: Int)
        case month(String, pages: Int, of: Int)
        case tables(String)
        case sketches(done: Int, of: Int)
        case vacuum(String)
    }

    private let connection: PostgresConnection
    private let packs: [PackDefinition]
    private let paths: [ErasurePath]
    private let fieldKeys: FieldKeys?
    /// Limit of one statement.
    private let timeout: Duration
    /// How long daemons are waited for that are asked what is under way. Those that answer later are seen to later.
    private let settleWait: Duration
    private let queue: ErasureQueue

    /// `fieldKeys`: what opens refused lines that are kept encrypted.
    package init(
        connection: PostgresConnection, packs: [PackDefinition], paths: [ErasurePath], fieldKeys: FieldKeys?,
        settleWait: Duration = .seconds(10), timeout: Duration = .seconds(3600)
    ) {
        self.fieldKeys = fieldKeys
        self.connection = connection
        self.packs = packs
        self.paths = paths
        self.settleWait = settleWait
        self.timeout = timeout
        queue = ErasureQueue(on: connection)
    }

    /// Does what there is to do now. Returns whether it ran: false when there is nothing, or another session is at it. Throws
    /// `PostgresError`, `ProjectionsError` and what `progress` throws.
    package func run(progress: (Step) throws -> Void) throws -> Bool {
        guard try queue.isThere, try queue.isDue() else { return false }
        let key = AdvisoryLock.erasure.rawValue
        guard try connection.execute("SELECT pg_try_advisory_lock(\(key), 0)").bool(0, 0) == true else { return false }
        defer {
            if connection.isUsable {
                do throws(PostgresError) { try connection.execute("SELECT pg_advisory_unlock(\(key), 0)") } catch {
                    connection.close()
                }
            }
        }
        try queue.adoptDeletions()
        let salt = try queue.salt()
        let erasures = try queue.takeUp(salt: salt)
        if !erasures.isEmpty {
            do {
                try pass(erasures, salt: salt, progress: progress)
            } catch {
                if connection.isUsable { try queue.failed("\(error)", of: erasures) }
                throw error
            }
        }
        try queue.finish()
        return true
    }

    /// What an erasure of the user would change. Reads only.
    package func count(_ user: String, tenant: Int32, progress: (Step) throws -> Void) throws -> ErasureCounts {
        let erased = ErasedUser(
            tenant: tenant, id: ExternalUserID.id(of: user, tenant: tenant), external: user, salt: try queue.salt())
        var scope = ErasureScope([erased], paths: paths, packs: packs)
        scope.fieldKeys = fieldKeys
        let targets = try targets()
        scope.keys = try OwnedKeys(connection: connection, scope: scope, targets: targets, salt: [], timeout: timeout)
            .find()
        var counts = try ErasureRest(connection: connection, scope: scope, timeout: timeout).count()
        let leaf = ErasureLeaf(connection: connection, scope: scope, targets: targets, timeout: timeout)
        var sketches = ErasedSketches(targets)
        for partition in try leaves() {
            counts += try leaf.count(in: partition.relation, of: partition.table, &sketches) { pages, total in
                try progress(.month(partition.name, pages: pages, of: total))
            }
        }
        counts.sketches = sketches.count
        for target in targets {
            try progress(.tables(target.pack.name))
            counts.rows += try ErasureTables(connection: connection, scope: scope, target: target, timeout: timeout)
                .count()
        }
        return counts
    }

    // MARK: - A pass

    private func pass(_ erasures: [Erasure], salt: [UInt8], progress: (Step) throws -> Void) throws {
        let lock = ProjectionsLock(connection: connection)
        // No rebuild and no recount meanwhile.
        try lock.hold(alone: true)
        defer { lock.release() }
        let users = erasures.map { ErasedUser($0, salt: salt) }
        var scope = ErasureScope(users, paths: paths, packs: packs)
        scope.fieldKeys = fieldKeys
        let targets = try targets()
        let tally = ErasureTally(erasures: erasures.map(\.id))
        let wasInterrupted = erasures.contains(where: \.wasInterrupted)
        try queue.passBegins(erasures)
        try eraseOutbox(scope, targets, tally, progress)
        // What the outbox's reader had read before is in the spools by now.
        try queue.ask(for: erasures)
        let settled = try waitForSpools(of: erasures, progress)

        scope.keys = try keys(of: scope, targets, salt: salt).keep(
            keys(of: scope, targets, salt: salt).find(), for: erasures)
        var touched: Set<String> = []
        // The rows first: what a pack's rows say stays found by them until its events are done.
        let done = wasInterrupted ? try queue.leavesDone(of: erasures) : []
        let leaf = ErasureLeaf(
            connection: connection, scope: scope, targets: targets, tally: tally, timeout: timeout)
        for partition in try leaves() where !done.contains(partition.relation) {
            let changed = try leaf.run(on: partition.relation, of: partition.table) { pages, total in
                try progress(.month(partition.name, pages: pages, of: total))
            }
            if !changed.isEmpty { touched.formUnion([partition.relation, "public.\(partition.table.rawValue)"]) }
            try queue.leafDone(partition.relation, of: erasures, settled: settled)
        }
        for target in targets {
            try progress(.tables(target.pack.name))
            let tables = ErasureTables(
                connection: connection, scope: scope, target: target, tally: tally, timeout: timeout)
            _ = try tables.run(touched: &touched)
            if wasInterrupted { touched.formUnion(tables.all) }
        }
        _ = try ErasureRest(connection: connection, scope: scope, tally: tally, timeout: timeout).run()
        try SketchRenewal(connection: connection, targets: targets, tally: tally, timeout: timeout).run {
            try progress(.sketches(done: $0, of: $1))
        }
        if wasInterrupted {
            // What was changed before is not known.
            touched.formUnion(try leaves().map(\.relation))
            touched.formUnion(PartitionedTable.allCases.map { "public.\($0.rawValue)" })
        }
        try vacuum(touched.sorted() + ErasureRest.tables, progress)
        try queue.tablesDone(erasures, settled: settled)
    }

    private func keys(of scope: ErasureScope, _ targets: [FoldTarget], salt: [UInt8]) -> OwnedKeys {
        OwnedKeys(connection: connection, scope: scope, targets: targets, salt: salt, timeout: timeout)
    }

    /// Erases what is in the outbox, and waits until it has left it: a daemon may be handing over what it read before.
    private func eraseOutbox(
        _ scope: ErasureScope, _ targets: [FoldTarget], _ tally: ErasureTally, _ progress: (Step) throws -> Void
    ) throws {
        var scope = scope
        guard try ErasureRest(connection: connection, scope: scope, tally: tally, timeout: timeout).hasOutbox() else {
            return
        }
        scope.keys = try keys(of: scope, targets, salt: []).find()
        let rest = ErasureRest(connection: connection, scope: scope, tally: tally, timeout: timeout)
        let rows = try rest.eraseOutbox()
        let start = ContinuousClock.now
        while !rows.isEmpty, start.duration(to: .now) < settleWait, try rest.isAnyInOutbox(rows) {
            guard try !queue.isNobodyHere() else { return }
            try progress(.outbox)
            try connection.interrupt.pause(for: .milliseconds(200))
        }
    }

    /// Waits until the daemons that are there have written what was under way. Returns what is settled, as
    /// `ErasureQueue.settled`.
    private func waitForSpools(
        of erasures: [Erasure], _ progress: (Step) throws -> Void
    ) throws -> [String] {
        let start = ContinuousClock.now
        while true {
            let left = try queue.unsettledCount(of: erasures)
            if left == 0 || start.duration(to: .now) > settleWait { return try queue.settled(of: erasures) }
            try progress(.waitingForSpools(left: left))
            try connection.interrupt.pause(for: .milliseconds(200))
        }
    }

    /// Takes away dead rows and statistics, which would have the ids for longer. What can't be done is left to autovacuum.
    private func vacuum(_ relations: [String], _ progress: (Step) throws -> Void) throws {
        for relation in relations {
            try progress(.vacuum(relation))
            let isParent = PartitionedTable.allCases.contains { "public.\($0.rawValue)" == relation }
            do throws(PostgresError) {
                try connection.execute("\(isParent ? "ANALYZE" : "VACUUM (ANALYZE)") \(relation)", timeout: timeout)
            } catch {
                guard error.code == .serverError, connection.isUsable else { throw error }
            }
        }
    }

    private func leaves() throws -> [Partition] {
        try Partitions(connection: connection).list().filter { !$0.isDetachPending }
    }

    /// Every version that these packs made, live or being built.
    private func targets() throws -> [FoldTarget] { try FoldTarget.all(of: packs, on: connection) }
}

extension FoldTarget {
    /// Of every version, live or being built, that was made from one of `packs`. Throws as `load` does.
    static func all(of packs: [PackDefinition], on connection: PostgresConnection) throws -> [FoldTarget] {
        guard try PackVersion.isCatalogThere(connection) else { return [] }
        return try PackVersion.all(connection).compactMap { version in
            guard let pack = packs.first(where: version.isMade(from:)) else { return nil }
            return try load(versionID: version.id, schema: version.schema, pack: pack, on: connection)
        }
    }
}
