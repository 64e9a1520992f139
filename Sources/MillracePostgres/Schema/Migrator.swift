/// Moves a database's schema up and down. Blocks; the connection must be idle.
///
/// Each migration runs in its own transaction under an advisory lock, so any number of daemons may start at once. Indexes of
/// months, and of new keys, are built before it, CONCURRENTLY, and what it locks is waited for in short tries, so that
/// writers wait for no more than `MigrationLocks.lockTry` and the statements themselves.
package struct Migrator {
    private let connection: PostgresConnection
    private let tables: MigrationTables
    private let migrations: [Migration]
    /// For one statement, the wait for another daemon's migration included.
    private let timeout: Duration
    /// For one migration's locks.
    private let patience: Duration

    package init(
        connection: PostgresConnection, migrations: [Migration] = Migration.all, timeout: Duration = .seconds(600),
        patience: Duration = .seconds(600)
    ) {
        precondition(
            migrations.map(\.version) == Array(1..<(migrations.count + 1)), "migrations count from 1 without a gap")
        self.connection = connection
        tables = MigrationTables(connection: connection)
        self.migrations = migrations
        self.timeout = timeout
        self.patience = patience
    }

    /// Applies what is pending, up to and including `version` (nil: all). Returns what it applied, in order.
    @discardableResult
    package func up(
        to version: Int? = nil, progress: (Migration) -> Void = { _ in }, onWait: (MigrationWait) -> Void = { _ in }
    ) throws(MigrationError) -> [Migration] {
        do throws(PostgresError) { try connection.requireUTF8() } catch { throw .database(error) }
        let last = version ?? migrations.count
        var done: [Migration] = []
        while let migration = try step(
            { applied in migrations.first { $0.version > applied && $0.version <= last } }, .up, onWait: onWait)
        {
            progress(migration)
            done.append(migration)
        }
        do throws(PostgresError) {
            try PrimaryKeyIndexes(connection: connection).removeLeft()
        } catch {
            throw .database(error)
        }
        return done
    }

    /// Undoes the newest `count` migrations, data included. Returns what it undid, newest first.
    @discardableResult
    package func down(
        count: Int = 1, progress: (Migration) -> Void = { _ in }, onWait: (MigrationWait) -> Void = { _ in }
    ) throws(MigrationError) -> [Migration] {
        var done: [Migration] = []
        let isWhole = count >= migrations.count
        while done.count < count,
            let migration = try step(
                { applied in migrations.first { $0.version == applied } }, .down, isWhole: isWhole, onWait: onWait)
        {
            progress(migration)
            done.append(migration)
        }
        return done
    }

    /// Undoes everything, data included, and applies everything. Returns what it applied.
    @discardableResult
    package func reset(progress: (Migration) -> Void = { _ in }) throws(MigrationError) -> [Migration] {
        try down(count: migrations.count)
        return try up(progress: progress)
    }

    /// Throws `databaseUnfit` where migrations of this Millrace are pending, whose tables and keys its statements want, and
    /// where newer ones are there after which it must not write.
    /// Where nothing was ever migrated, the first statement says so. Blocks.
    package static func requireCurrent(on connection: PostgresConnection) throws(PostgresError) {
        let isReadable = try connection.execute(
            "SELECT has_table_privilege(to_regclass('public.millrace_migrations'), 'SELECT')")
        guard isReadable.bool(0, 0) == true else { return }
        let found = try MigrationTables(connection: connection).version()
        let known = Migration.all.count
        guard found >= known else {
            throw PostgresError(
                code: .databaseUnfit,
                message: "the schema is at migration \(found), and this version of Millrace wants \(known)",
                hint: "Run `millrace migrate up`; until then everything is kept in the spool.")
        }
        guard found > known else { return }
        let wanted = try connection.execute("SELECT public.millrace_compatible_from()").count(0, 0)
        guard wanted > known else { return }
        throw PostgresError(
            code: .databaseUnfit,
            message:
                "the schema is at migration \(found), for a Millrace that knows \(wanted) or more, and this version knows "
                + "\(known)",
            hint: "Run the newer Millrace, or have it migrate down; until then everything is kept in the spool.")
    }

    /// Throws while a backup is being restored into the database, or after that was interrupted: the list of migrations is
    /// filled last. Where the login may not read it, nothing is thrown. Blocks for moments.
    package static func requireWhole(on connection: PostgresConnection) throws(PostgresError) {
        let isReadable = try connection.execute(
            "SELECT has_table_privilege(to_regclass('public.millrace_migrations'), 'SELECT')")
        guard isReadable.bool(0, 0) == true,
            try connection.execute("SELECT EXISTS (SELECT FROM public.millrace_migrations)").bool(0, 0) == false
        else { return }
        throw PostgresError(
            code: .databaseUnfit, message: "a backup is being restored into the database, or that was interrupted",
            hint: "Wait for `millrace restore`, or make the database empty and run it again.")
    }

    /// Every migration that this Millrace or the database knows, in order.
    package func status() throws(MigrationError) -> [MigrationStatus] {
        do throws(PostgresError) {
            let applied = try tables.areThere ? tables.applied() : []
            var rows: [MigrationStatus] = []
            for migration in migrations {
                let entry = applied.first { $0.version == migration.version }
                let state: MigrationStatus.State =
                    switch entry?.checksum {
                    case nil: .pending
                    case try tables.checksum(migration): .applied
                    default: .changed
                    }
                rows.append(
                    MigrationStatus(
                        version: migration.version, title: migration.title, state: state, appliedAt: entry?.appliedAt))
            }
            let unknown = applied.filter { $0.version > migrations.count }
            return rows
                + unknown.map {
                    MigrationStatus(version: $0.version, title: $0.title, state: .unknown, appliedAt: $0.appliedAt)
                }
        } catch {
            throw .database(error)
        }
    }

    /// Every up and down there was, oldest first.
    package func history() throws(MigrationError) -> [MigrationRecord] {
        do throws(PostgresError) {
            guard try tables.areThere else { return [] }
            let result = try connection.execute(
                """
                SELECT version, title, direction, at::text, role
                FROM public.millrace_migration_history
                ORDER BY at, version
                """)
            return (0..<result.rowCount).map { row in
                MigrationRecord(
                    version: result.int(row, 0) ?? 0,
                    title: result.string(row, 1) ?? "",
                    direction: result.string(row, 2).flatMap(MigrationRecord.Direction.init) ?? .up,
                    at: result.string(row, 3) ?? "",
                    role: result.string(row, 4) ?? "")
            }
        } catch {
            throw .database(error)
        }
    }

    // MARK: - One step

    /// Carries out the migration that `choose` picks from the newest applied version (0: none), under the lock, so that
    /// what another daemon did meanwhile is seen. nil when there is nothing to do. `isWhole`: all tables go, whatever keys
    /// they have.
    private func step(
        _ choose: (Int) -> Migration?, _ direction: MigrationRecord.Direction, isWhole: Bool = false,
        onWait: (MigrationWait) -> Void
    ) throws(MigrationError) -> Migration? {
        let deadline = ContinuousClock.now + patience
        var pauses = MigrationLocks.pauses
        var tries = 0
        while true {
            let attempt = try attempt(choose, direction, isWhole: isWhole) { migration in
                tries += 1
                onWait(wait(for: migration, tries: tries))
            }
            switch attempt {
            case .done(let migration): return migration
            case .mismatch(let mismatch): throw mismatch
            case .isUnprepared: continue
            case .isHeldUp(let error, let migration):
                guard ContinuousClock.now < deadline else {
                    throw .heldUp(error, wait(for: migration, tries: tries))
                }
                do throws(PostgresError) { try connection.interrupt.pause(for: pauses.next()) } catch {
                    throw .database(error, at: migration)
                }
            }
        }
    }

    /// Who holds what `migration` wants. In a transaction or out of one.
    private func wait(for migration: Migration, tries: Int) -> MigrationWait {
        MigrationWait(
            migration: migration, tries: tries,
            holders: (try? LockHolders.describe(ofTables: migration.locked, on: connection)) ?? [])
    }

    private enum Attempt {
        /// nil when there was nothing to do.
        case done(Migration?)
        case mismatch(MigrationError)
        /// A month was made meanwhile, or another process applied what came before.
        case isUnprepared
        /// Others hold what the migration locks.
        case isHeldUp(PostgresError, Migration)
    }

    private func attempt(
        _ choose: (Int) -> Migration?, _ direction: MigrationRecord.Direction, isWhole: Bool,
        onWait: (Migration) -> Void
    ) throws(MigrationError) -> Attempt {
        var chosen: Migration?
        do throws(PostgresError) {
            chosen = try tables.areThere ? choose(try tables.version()) : nil
            if let migration = chosen, migration.isPrepared(direction) {
                try PrimaryKeyIndexes(connection: connection).alone { () throws(PostgresError) in
                    guard choose(try tables.version())?.version == migration.version else { return }
                    try prepare(migration, direction, isWhole: isWhole, onWait: onWait)
                }
            }
            return try connection.transaction(timeout: timeout) { () throws(PostgresError) -> Attempt in
                try connection.query(
                    "SELECT pg_advisory_xact_lock(\(AdvisoryLock.migration.rawValue), 0)", timeout: timeout)
                try tables.create()
                let applied = try tables.applied()
                if let mismatch = try verify(applied) { return .mismatch(mismatch) }
                guard let migration = choose(applied.last?.version ?? 0) else { return .done(nil) }
                // Made in the transaction, what is prepared would hold up writers, and whoever prepares it.
                guard migration.version == chosen?.version || !migration.isPrepared(direction) else {
                    return .isUnprepared
                }
                chosen = migration
                try MigrationLocks(connection: connection, timeout: timeout).take(migration.locked) {
                    onWait(migration)
                }
                if let keys = migration.keys(direction) {
                    let areBuilt = try isWhole ? true : PrimaryKeyIndexes(connection: connection).areBuilt(keys)
                    guard areBuilt else { return .isUnprepared }
                }
                // Tables that all go may have rows that an older key does not take.
                if migration.keys(direction) == nil || !isWhole {
                    try connection.executeMigration(
                        direction == .up ? migration.upOnline : migration.down, timeout: timeout)
                }
                if direction == .up, let online = migration.online {
                    try LeafIndexes(connection: connection).giveNames(online)
                }
                if direction == .up { try RowProtection.complete(on: connection) }
                try tables.record(migration, direction)
                try AuditLog.record(
                    direction == .up ? .migrationUp : .migrationDown, migration.name, on: connection)
                return .done(migration)
            }
        } catch {
            if let chosen, error.isContention(withTimeout: !chosen.locked.isEmpty) {
                onWait(chosen)
                return .isHeldUp(error, chosen)
            }
            throw .database(chosen?.keys(direction) == nil ? error : Self.explained(error), at: chosen)
        }
    }

    /// Makes what `migration` wants to find, in no transaction, while no other process does.
    private func prepare(
        _ migration: Migration, _ direction: MigrationRecord.Direction, isWhole: Bool, onWait: (Migration) -> Void
    ) throws(PostgresError) {
        if direction == .up, let online = migration.online { try LeafIndexes(connection: connection).build(online) }
        if direction == .up, let parts = migration.ledgerParts {
            try parts.build(on: connection, timeout: timeout) { onWait(migration) }
        }
        if let keys = migration.keys(direction), !isWhole {
            try PrimaryKeyIndexes(connection: connection).build(keys)
        }
    }

    /// Of a key that is made narrower again.
    private static func explained(_ error: PostgresError) -> PostgresError {
        guard error.sqlState == .uniqueViolation else { return error }
        var error = error
        error.message = "two tenants have rows with the same id: \(error.message)"
        error.hint = "Delete the rows of one of them first, or stay with this version of the schema."
        return error
    }

    private func verify(_ applied: [MigrationTables.Applied]) throws(PostgresError) -> MigrationError? {
        for entry in applied {
            guard let migration = migrations.first(where: { $0.version == entry.version }) else {
                return .unknownVersion(Migration(version: entry.version, title: entry.title, up: "", down: "").name)
            }
            if try tables.checksum(migration) != entry.checksum { return .checksumMismatch(migration) }
        }
        return nil
    }
}
