import MillracePostgres
import MillraceSpool

/// Dumps a database by pg_dump, several tables at a time, as it was at one moment. Blocks; readers and writers go on.
package struct DatabaseDump {
    private let connectionString: String
    private let jobs: Int
    private let compression: Int
    private let lock: BackupLock
    /// pg_dump's locks forbid only what changes a table's shape; it waits no longer for those who do.
    private static let lockWait = Duration.seconds(60)

    init(_ connectionString: String, jobs: Int, compression: Int, lock: BackupLock) {
        self.connectionString = connectionString
        self.jobs = jobs
        self.compression = compression
        self.lock = lock
    }

    /// Into `database` below `folder`, and the list of erasures beside it. Returns what the database was. `progress`: the
    /// share that is done.
    package func run(in folder: String, progress: (Double) -> Void) throws -> BackupManifest.Database {
        let connection = try PostgresConnection(
            connectionString: connectionString, applicationName: "millrace backup", connectTimeout: .seconds(30),
            interrupt: PostgresInterrupt())
        try Migrator.requireCurrent(on: connection)
        guard try connection.hasRelation("public.millrace_migrations") else {
            throw BackupError(
                .notFound, "there are no tables of Millrace in this database", hint: "Set database.url, or backup.url.")
        }
        if try CitusCatalog(connection)?.isDistributed(DistributedTable.analyticsEvents.relation) == true {
            throw BackupError(
                .distributed, "events lie on the workers of a Citus cluster, which no dump shows at one moment",
                hint: "Back up each node with its own tools, such as pgBackRest, to one citus_create_restore_point().")
        }
        let server = try connection.serverIdentity()
        // Ends with the session, whatever happens.
        try connection.execute(
            """
            BEGIN ISOLATION LEVEL REPEATABLE READ READ ONLY;
            SET LOCAL idle_in_transaction_session_timeout = 0
            """)
        let snapshot = try connection.execute("SELECT pg_export_snapshot()").string(0, 0) ?? ""
        let facts = try DatabaseFacts(connection: connection).read(server)
        let programs = try Tools.find(major: facts.serverMajor)
        try ErasureList.write(to: "\(folder)/\(ErasureList.fileName)", in: folder, on: connection)
        try dump(
            to: "\(folder)/\(BackupStore.database)", by: programs, snapshot, try sizes(connection), progress)
        return facts
    }

    /// Pages of each table, as of its last VACUUM, to tell how far it is. Asks for no lock.
    private func sizes(_ connection: PostgresConnection) throws(PostgresError) -> [String: Int] {
        let rows = try connection.execute(
            """
            SELECT main.relname, sum(1 + main.relpages + COALESCE(toast.relpages, 0))::bigint
            FROM pg_catalog.pg_class AS main
            LEFT JOIN pg_catalog.pg_class AS toast ON toast.oid = main.reltoastrelid
            WHERE main.relkind = 'r' AND main.relnamespace <> 'pg_catalog'::regnamespace
            GROUP BY 1
            """, timeout: .seconds(600))
        var sizes: [String: Int] = [:]
        for row in 0..<rows.rowCount { sizes[rows.string(row, 0) ?? ""] = rows.count(row, 1) }
        return sizes
    }

    /// A process of several gives up when somebody has queued for an exclusive lock of a table after the first process took
    /// its own: a month that is made or leaves is enough. So it is tried again, and at last by one process, which holds
    /// all of its locks from the beginning.
    private func dump(
        to directory: String, by programs: PostgresPrograms, _ snapshot: String, _ sizes: [String: Int],
        _ progress: (Double) -> Void
    ) throws {
        for jobs in [jobs, jobs, 1] {
            let output = try run(programs, to: directory, jobs: jobs, snapshot, sizes, progress)
            if output.isSuccess { return }
            guard jobs > 1, output.lines.contains(where: { $0.contains("could not obtain lock on relation") }) else {
                throw Tools.failure(of: "pg_dump", output, .dumpFailed)
            }
            try FileTree(directory).remove()
        }
    }

    private func run(
        _ programs: PostgresPrograms, to directory: String, jobs: Int, _ snapshot: String, _ sizes: [String: Int],
        _ progress: (Double) -> Void
    ) throws -> ToolProcess.Output {
        let (conninfo, environment) = try ConnectionString(connectionString).forPrograms()
        let total = max(1, sizes.values.reduce(0, +))
        var done = 0
        return ToolProcess.run(
            [
                programs.path("pg_dump"), "--format=directory", "--jobs=\(jobs)", "--file=\(directory)",
                "--snapshot=\(snapshot)", "--compress=\(compression)", "--verbose", "--no-password", "--no-sync",
                "--lock-wait-timeout=\(Self.lockWait.components.seconds * 1000)", "--dbname=\(conninfo)",
            ], environment: environment, holding: lock.descriptor
        ) { line in
            if let table = line?.finishedItem(of: "TABLE DATA")?.name { done += sizes[table] ?? 0 }
            progress(Double(done) / Double(total))
        }
    }
}
