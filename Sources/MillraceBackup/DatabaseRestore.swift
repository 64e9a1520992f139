internal import Glibc
internal import MillraceJSON
package import MillracePostgres
import MillraceSpool

/// Puts a dump back into an empty database by pg_restore, several tables at a time. Blocks.
///
/// The table that says which migrations are applied is made first and filled last: so nobody, a daemon that runs meanwhile
/// least of all, takes a database that is half restored for a whole one.
package struct DatabaseRestore {
    private static let migrations = "public millrace_migrations "

    private let connectionString: String
    private let jobs: Int
    /// The backup's folder.
    private let path: String
    private let manifest: BackupManifest
    /// Holds the lock of migrations.
    private let connection: PostgresConnection
    private let programs: PostgresPrograms
    private let isSuperuser: Bool

    /// Connects, and looks whether the server can take it. Throws `PostgresError` and `BackupError`.
    package init(_ connectionString: String, jobs: Int, path: String, manifest: BackupManifest) throws {
        self.connectionString = connectionString
        self.jobs = jobs
        self.path = path
        self.manifest = manifest
        connection = try PostgresConnection(
            connectionString: connectionString, applicationName: "millrace restore", connectTimeout: .seconds(30),
            interrupt: PostgresInterrupt())
        try connection.requireUTF8()
        let row = try connection.execute(
            "SELECT current_setting('server_version_num'), (SELECT rolsuper FROM pg_roles WHERE rolname = current_user)"
        )
        let major = row.count(0, 0) / 10_000
        isSuperuser = row.bool(0, 1) ?? false
        guard manifest.database.migration <= Migration.all.count else {
            throw BackupError(
                .newer,
                "the backup's schema is at migration \(manifest.database.migration), and this Millrace knows \(Migration.all.count)",
                hint: "Take Millrace \(manifest.millrace), which made it, or a newer one.")
        }
        guard manifest.database.serverMajor <= major else {
            throw BackupError(
                .newer,
                "the backup is of PostgreSQL \(manifest.database.serverMajor), and this server is \(major)",
                hint: "Restore it into PostgreSQL \(manifest.database.serverMajor) or newer.")
        }
        programs = try Tools.find(major: major)
    }

    /// Throws `databaseNotEmpty` where there is any relation that no extension brought.
    package func requireEmpty() throws {
        let found = try connection.execute(
            """
            SELECT n.nspname || '.' || c.relname, count(*) OVER (), current_database()
            FROM pg_catalog.pg_class AS c
            JOIN pg_catalog.pg_namespace AS n ON n.oid = c.relnamespace
            WHERE c.relkind IN ('r', 'p', 'v', 'm', 'S', 'f')
                AND n.nspname <> 'information_schema'
                AND NOT starts_with(n.nspname::text, 'pg_')
                AND NOT EXISTS (
                    SELECT FROM pg_catalog.pg_depend
                    WHERE classid = 'pg_catalog.pg_class'::regclass AND objid = c.oid AND deptype = 'e'
                )
            ORDER BY 1
            LIMIT 1
            """)
        guard found.rowCount > 0 else { return }
        let database = found.string(0, 2) ?? ""
        let hasMarker = try connection.hasRelation("public.millrace_migrations")
        let isHalf =
            try hasMarker
            && connection.execute("SELECT NOT EXISTS (SELECT FROM public.millrace_migrations)").bool(0, 0) == true
        throw BackupError(
            .databaseNotEmpty,
            isHalf
                ? "a restore into the database \(database) was interrupted"
                : "the database \(database) is not empty: it has \(found.string(0, 0) ?? "") and "
                    + "\(found.count(0, 1) - 1) other relations",
            hint:
                "As its owner, in another database: \(isHalf ? "DROP DATABASE \(database)" : "ALTER DATABASE \(database) RENAME TO \(database)_before"); "
                + "CREATE DATABASE \(database); then restore again.")
    }

    /// Makes the roles that are missing, without a password, and returns them. Throws `rolesMissing` where this login may
    /// not, or may not hand over what belongs to others.
    package func prepareRoles() throws -> [String] {
        var made: [String] = []
        var wanted: [String] = []
        let quoted = { (name: String) in "\"\(name.replacing("\"", with: "\"\""))\"" }
        for role in manifest.database.roles {
            let known = try connection.query(
                """
                SELECT pg_has_role(current_user, oid, 'MEMBER')
                FROM pg_catalog.pg_roles
                WHERE rolname = $1
                """, parameters: [.text(role.name)])
            if known.rowCount > 0 {
                if role.isOwner, known.bool(0, 0) != true {
                    wanted.append("GRANT \(quoted(role.name)) TO CURRENT_USER")
                }
                continue
            }
            wanted.append("CREATE ROLE \(quoted(role.name)) NOLOGIN")
            wanted += role.memberOf.map { "GRANT \(quoted($0)) TO \(quoted(role.name))" }
            for setting in role.settings {
                let parts = setting.split(separator: "=", maxSplits: 1)
                guard parts.count == 2 else { continue }
                let value = parts[1].replacing("'", with: "''")
                wanted.append("ALTER ROLE \(quoted(role.name)) SET \(parts[0]) = '\(value)'")
            }
            made.append(role.name)
        }
        wanted += try databaseGrants(quoted)
        guard !wanted.isEmpty else { return [] }
        // A role may be a member of one that is made later.
        let statements = wanted.filter { $0.hasPrefix("CREATE") } + wanted.filter { !$0.hasPrefix("CREATE") }
        do throws(PostgresError) {
            try connection.transaction { () throws(PostgresError) in
                for statement in statements { try connection.execute(statement) }
            }
        } catch {
            guard error.sqlState == .insufficientPrivilege else { throw error }
            throw BackupError(
                .rolesMissing, "this login may not make the roles that the backup names",
                hint: "As a superuser, by sql/roles.sql or by: \(statements.joined(separator: "; "))")
        }
        return made
    }

    /// What sql/roles.sql grants on the database itself, which a dump does not have: schemas of packs are made by these roles.
    private func databaseGrants(_ quoted: (String) -> String) throws(PostgresError) -> [String] {
        var grants: [String] = []
        for role in manifest.database.roles.map(\.name) where ["millrace_owner", "millrace_writer"].contains(role) {
            let known = try connection.query(
                """
                SELECT has_database_privilege(oid, current_database(), 'CREATE')
                FROM pg_catalog.pg_roles
                WHERE rolname = $1
                """, parameters: [.text(role)])
            guard known.rowCount == 0 || known.bool(0, 0) != true else { continue }
            let database = try connection.execute("SELECT current_database()").string(0, 0) ?? ""
            grants.append("GRANT CREATE, TEMPORARY ON DATABASE \(quoted(database)) TO \(quoted(role))")
        }
        return grants
    }

    /// All but what `open` puts in. `progress`: the share that is done.
    package func run(progress: (Double) -> Void) throws {
        try connection.execute("SELECT pg_advisory_lock(\(AdvisoryLock.migration.rawValue), 0)", timeout: .seconds(600))
        let dump = "\(path)/\(BackupStore.database)"
        var entries = try entries(of: dump)
        entries.removeAll { $0.contains(" TABLE DATA \(Self.migrations)") }
        if !isSuperuser { entries.removeAll { $0.contains(" COMMENT - EXTENSION ") } }
        if try !canWatchStatements() { entries.removeAll { $0.contains(" EXTENSION - pg_stat_statements") } }
        // With its grants, which come last otherwise: whoever may write must be able to see that he must not yet.
        let isMarker = { (entry: String) in
            entry.contains(" TABLE \(Self.migrations)") || entry.contains(" ACL public TABLE millrace_migrations ")
        }
        try restore(entries.filter(isMarker)) { _ in }
        entries.removeAll(where: isMarker)
        let sizes = dataSizes(in: dump)
        let total = max(1, sizes.values.reduce(0, +))
        var (bytes, others) = (0, 0)
        try restore(entries) { item in
            if let size = sizes[item.id] { bytes += size } else { others += 1 }
            // Indexes are built of what was loaded.
            progress(0.7 * Double(bytes) / Double(total) + 0.3 * min(1, Double(others) / Double(max(1, entries.count))))
        }
    }

    /// The embedded database has an extension that watches its statements, and that a dump takes along. Nothing wants it where
    /// the server does not have it, or this login may not make it.
    private func canWatchStatements() throws(PostgresError) -> Bool {
        try connection.execute(
            """
            SELECT EXISTS (
                SELECT
                FROM pg_catalog.pg_available_extension_versions
                WHERE name = 'pg_stat_statements' AND (installed OR trusted OR \(isSuperuser))
            )
            """
        ).bool(0, 0) ?? false
    }

    /// Planners know nothing of what was loaded.
    package func analyze() throws { try connection.execute("ANALYZE", timeout: .seconds(86_400)) }

    /// What the ledger adds up to now.
    package func ledger() throws(PostgresError) -> BackupManifest.Ledger {
        try DatabaseFacts(connection: connection).ledger()
    }

    /// From here on the database is one: a daemon may write to it.
    package func open(by actor: AuditActor = .process, name: BackupName) throws {
        let entries = try entries(of: "\(path)/\(BackupStore.database)").filter {
            $0.contains(" TABLE DATA \(Self.migrations)")
        }
        try restore(entries) { _ in }
        try connection.transaction { () throws(PostgresError) in
            try AuditLog.record(
                .backupRestore, "\(name)",
                after: .object([
                    ("begun_at", .string(manifest.begunAt)), ("host", .string(manifest.host)),
                    ("rows", .integer(manifest.database.ledger.rows)),
                ]), by: actor, on: connection)
        }
    }

    // MARK: - pg_restore

    /// The lines of `pg_restore --list`: `4021; 0 16389 TABLE DATA public millrace_migrations millrace`.
    private func entries(of dump: String) throws -> [String] {
        var lines: [String] = []
        let output = ToolProcess.run([programs.path("pg_restore"), "--list", dump]) { line in
            if let line, !line.hasPrefix(";"), !line.isEmpty { lines.append(line) }
        }
        guard output.isSuccess else { throw Tools.failure(of: "pg_restore", output, .restoreFailed) }
        return lines
    }

    /// Of each table's file by the number of its entry: `4021.dat.gz`.
    private func dataSizes(in dump: String) -> [Int: Int] {
        var sizes: [Int: Int] = [:]
        for file in (try? FileTree(dump).files()) ?? [] where file.contains(".dat") {
            guard let id = Int(file.prefix { $0 != "." }) else { continue }
            sizes[id] = FileTree.status("\(dump)/\(file)").map { Int($0.st_size) }
        }
        return sizes
    }

    private func restore(_ entries: [String], onItem: ((id: Int, name: String)) -> Void) throws {
        let list = try TemporaryFile(lines: entries)
        let (conninfo, environment) = try ConnectionString(connectionString).forPrograms()
        let output = ToolProcess.run(
            [
                programs.path("pg_restore"), "--format=directory", "--jobs=\(jobs)", "--use-list=\(list.path)",
                "--exit-on-error", "--verbose", "--no-password", "--dbname=\(conninfo)",
                "\(path)/\(BackupStore.database)",
            ], environment: environment
        ) { line in
            if let item = line?.finishedItem() { onItem(item) }
        }
        guard output.isSuccess else { throw Tools.failure(of: "pg_restore", output, .restoreFailed) }
    }
}
