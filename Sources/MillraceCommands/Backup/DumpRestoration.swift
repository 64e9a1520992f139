internal import FoundationEssentials
internal import MillraceBackup
internal import MillraceConfiguration
internal import MillraceConsole
internal import MillraceEvent
internal import MillracePostgres
internal import MillraceSpool

/// Restores a dump. Blocks.
struct DumpRestoration {
    let context: CommandContext
    /// With `directory` in its place.
    let configuration: BackupConfiguration
    /// Into the embedded database, which is started where it does not run.
    let isEmbedded: Bool
    /// A step, and the share of it that is done.
    let tell: (String, Double?) -> Void

    private var store: BackupStore { BackupStore(directory: configuration.directory) }

    /// Throws `BackupError`, `PostgresError`, `CommandError`, `EmbeddedClusterError`.
    func run(_ name: BackupName) throws -> RestoreReport {
        guard name.kind == .dump else {
            throw BackupError(
                .notFound, "\(name) is a base backup, which is no dump",
                hint: "Restore it by --to TIME, or --to latest.")
        }
        let lock = try store.lock()
        defer { withExtendedLifetime(lock) {} }
        let manifest = try store.manifest(of: name)
        let problems = store.problems(of: name, manifest) { bytes in
            tell("reading the backup", Double(bytes) / Double(max(1, manifest.bytes)))
        }
        guard problems.isEmpty else { throw BackupStore.damaged(name, problems.joined(separator: "; ")) }
        guard isEmbedded else {
            return try restore(name, manifest, into: try context.backupConnectionString())
        }
        return try EmbeddedUse(context.configuration.embeddedCluster).run(
            timeout: context.configuration.embedded.startTimeout, tell: { tell($0, nil) }
        ) { cluster in
            try requireRoom(manifest, in: cluster.dataParent)
            return try restore(name, manifest, into: cluster.superuserConnectionString)
        }
    }

    private func restore(
        _ name: BackupName, _ manifest: BackupManifest, into connectionString: String
    ) throws -> RestoreReport {
        let restore = try DatabaseRestore(
            connectionString, jobs: configuration.jobs, path: store.path(name), manifest: manifest)
        try restore.requireEmpty()
        var report = RestoreReport(backup: "\(name)", asOf: manifest.begunAt)
        report.roles = try restore.prepareRoles()
        try restore.run { tell("restoring the database", $0) }
        tell("gathering statistics", nil)
        try restore.analyze()
        let ledger = try restore.ledger()
        guard ledger == manifest.database.ledger else {
            throw BackupError(
                .restoreFailed,
                "the ledger adds up to \(ledger.rows) rows in \(ledger.batches) batches, and the manifest says \(manifest.database.ledger.rows) in \(manifest.database.ledger.batches)",
                hint: "Nothing writes to this database. Look who else does, make it empty again, and restore again.")
        }
        report.rows = ledger.rows
        let connection = try context.connect(to: connectionString)
        tell("looking for erased users", nil)
        let erasures = try ErasedAgain(
            store: store, spoolDirectory: context.spoolDirectory, packs: context.packs())
        let added = try erasures.add(manifest, on: connection, &report)
        let segments = try SegmentRestoration(store: store, spoolDirectory: context.spoolDirectory).run(on: connection)
        report.segments = segments.returned
        try erasures.queue(added, on: connection, &report)
        if let note = segments.note { report.notes.append(note) }
        report.verification = try verify(connection)
        try restore.open(name: name)
        return report
    }

    private func verify(_ connection: PostgresConnection) throws -> VerifyReport {
        try context.verification(on: connection).run { tell("verifying \($0)", nil) }
    }

    /// Where the dump's tables and indexes will be.
    private func requireRoom(_ manifest: BackupManifest, in directory: String) throws {
        let free = try PosixFileSystem().freeBytes(at: directory)
        guard free < manifest.database.bytes else { return }
        throw BackupError(
            .noSpace,
            "\(directory) has \(Format.bytes(free)) free, and the database took \(Format.bytes(manifest.database.bytes))",
            hint: "Make room, or restore it elsewhere (--data-directory).")
    }
}

/// The embedded database for the time of a command: started where it does not run, and stopped again.
struct EmbeddedUse {
    let cluster: EmbeddedCluster

    init(_ cluster: EmbeddedCluster) {
        self.cluster = cluster
    }

    func run<Answer>(
        timeout: Duration, tell: @escaping (String) -> Void, _ body: (EmbeddedCluster) throws -> Answer
    ) throws -> Answer {
        let wasRunning = cluster.isAlive
        try FileManager.default.createDirectory(atPath: cluster.directory, withIntermediateDirectories: true)
        try cluster.start(timeout: timeout, progress: tell)
        let answer: Answer
        do {
            answer = try body(cluster)
        } catch {
            if !wasRunning { try? cluster.stop(progress: tell) }
            throw error
        }
        if !wasRunning { try cluster.stop(progress: tell) }
        return answer
    }
}

extension CommandContext {
    /// Of the whole database and this host's spool.
    func verification(on connection: PostgresConnection) throws -> Verification {
        let begunAt = try connection.execute("SELECT clock_timestamp()::text").string(0, 0)
        return Verification(
            connection: connection, snapshot: try spoolSnapshot(verifiesPayloads: true), begunAt: begunAt,
            timeout: .seconds(86_400), since: nil, countsRepeatedIDs: false)
    }
}
