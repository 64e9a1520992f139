/// Moves a database's schema up and down. Blocks; the connection must be idle.
///
/// Each migration runs in its own transaction under an advisory lock, so any number of daemons may start at once.
package struct Migrator {
    private let connection: PostgresConnection
    private let migrations: [Migration]
    /// For one migration, the wait for another daemon's included.
    private let timeout: Duration

    package init(
        connection: PostgresConnection, migrations: [Migration] = Migration.all, timeout: Duration = .seconds(600)
    ) {
        precondition(
            migrations.map(\.version) == Array(1..<(migrations.count + 1)), "migrations count from 1 without a gap")
        self.connection = connection
        self.migrations = migrations
        self.timeout = timeout
    }

    /// Applies what is pending, up to and including `version` (nil: all). Returns what it applied, in order.
    @discardableResult
    package func up(
        to version: Int? = nil, progress: (Migration) -> Void = { _ in }
    ) throws(MigrationError) -> [Migration] {
        do throws(PostgresError) { try connection.requireUTF8() } catch { throw .database(error) }
        let last = version ?? migrations.count
        var done: [Migration] = []
        while let migration = try step(
            { applied in migrations.first { $0.version > applied && $0.version <= last } }, .up)
        {
            progress(migration)
            done.append(migration)
        }
        return done
    }

    /// Undoes the newest `count` migrations, data included. Returns what it undid, newest first.
    @discardableResult
    package func down(count: Int = 1, progress: (Migration) -> Void = { _ in }) throws(MigrationError) -> [Migration] {
        var done: [Migration] = []
        while done.count < count,
            let migration = try step({ applied in migrations.first { $0.version == applied } }, .down)
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

    /// Every migration that this Millrace or the database knows, in order.
    package func status() throws(MigrationError) -> [MigrationStatus] {
        do throws(PostgresError) {
            let applied = try hasTables() ? readApplied() : []
            var rows: [MigrationStatus] = []
            for migration in migrations {
                let entry = applied.first { $0.version == migration.version }
                let state: MigrationStatus.State =
                    switch entry?.checksum {
                    case nil: .pending
                    case try checksum(migration): .applied
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
            guard try hasTables() else { return [] }
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
    /// what another daemon did meanwhile is seen. nil when there is nothing to do.
    private func step(
        _ choose: (Int) -> Migration?, _ direction: MigrationRecord.Direction
    ) throws(MigrationError) -> Migration? {
        var chosen: Migration?
        var mismatch: MigrationError?
        do throws(PostgresError) {
            try connection.transaction(timeout: timeout) { () throws(PostgresError) in
                try connection.query(
                    "SELECT pg_advisory_xact_lock(\(AdvisoryLock.migration.rawValue), 0)", timeout: timeout)
                try createTables()
                let applied = try readApplied()
                mismatch = try verify(applied)
                guard mismatch == nil, let migration = choose(applied.last?.version ?? 0) else { return }
                chosen = migration
                try connection.execute(direction == .up ? migration.up : migration.down, timeout: timeout)
                try record(migration, direction)
                try AuditLog.record(
                    direction == .up ? .migrationUp : .migrationDown, migration.name, on: connection)
            }
        } catch {
            throw .database(error, at: chosen)
        }
        if let mismatch { throw mismatch }
        return chosen
    }

    private func verify(_ applied: [Applied]) throws(PostgresError) -> MigrationError? {
        for entry in applied {
            guard let migration = migrations.first(where: { $0.version == entry.version }) else {
                return .unknownVersion(Migration(version: entry.version, title: entry.title, up: "", down: "").name)
            }
            if try checksum(migration) != entry.checksum { return .checksumMismatch(migration) }
        }
        return nil
    }

    // MARK: - The migrator's own tables

    private struct Applied {
        var version: Int
        var title: String
        var checksum: String
        var appliedAt: String
    }

    private func hasTables() throws(PostgresError) -> Bool {
        try connection.execute("SELECT to_regclass('public.millrace_migrations') IS NOT NULL").bool(0, 0) ?? false
    }

    private func createTables() throws(PostgresError) {
        guard try !hasTables() else { return }
        try connection.execute(
            """
            CREATE TABLE public.millrace_migrations (
                version integer NOT NULL,
                title text NOT NULL,
                checksum text NOT NULL,
                applied_at timestamptz NOT NULL DEFAULT clock_timestamp(),
                CONSTRAINT millrace_migrations_pkey PRIMARY KEY (version)
            );
            CREATE TABLE public.millrace_migration_history (
                at timestamptz NOT NULL DEFAULT clock_timestamp(),
                version integer NOT NULL,
                title text NOT NULL,
                direction text NOT NULL,
                checksum text NOT NULL,
                role text NOT NULL DEFAULT current_user,
                CONSTRAINT millrace_migration_history_pkey PRIMARY KEY (at, version),
                CONSTRAINT millrace_migration_history_direction_check CHECK (direction IN ('up', 'down'))
            );
            """)
    }

    private func readApplied() throws(PostgresError) -> [Applied] {
        let result = try connection.execute(
            """
            SELECT version, title, checksum, applied_at::text
            FROM public.millrace_migrations
            ORDER BY version
            """)
        return (0..<result.rowCount).map { row in
            Applied(
                version: result.int(row, 0) ?? 0,
                title: result.string(row, 1) ?? "",
                checksum: result.string(row, 2) ?? "",
                appliedAt: result.string(row, 3) ?? "")
        }
    }

    private func record(_ migration: Migration, _ direction: MigrationRecord.Direction) throws(PostgresError) {
        let checksum = try checksum(migration)
        switch direction {
        case .up:
            try connection.query(
                "INSERT INTO public.millrace_migrations (version, title, checksum) VALUES ($1, $2, $3)",
                parameters: [.integer(migration.version), .text(migration.title), .text(checksum)])
        case .down:
            try connection.query(
                "DELETE FROM public.millrace_migrations WHERE version = $1",
                parameters: [.integer(migration.version)])
        }
        try connection.query(
            """
            INSERT INTO public.millrace_migration_history (version, title, direction, checksum)
            VALUES ($1, $2, $3, $4)
            """,
            parameters: [
                .integer(migration.version), .text(migration.title), .text(direction.rawValue), .text(checksum),
            ])
    }

    /// SHA-256 of both texts, computed by the server.
    private func checksum(_ migration: Migration) throws(PostgresError) -> String {
        let result = try connection.query(
            "SELECT encode(sha256(convert_to($1, 'UTF8')), 'hex')",
            parameters: [.text(migration.up + "\n" + migration.down)])
        return result.string(0, 0) ?? ""
    }
}
