internal import ArgumentParser
internal import Glibc
internal import MillraceBackup
internal import MillraceConfiguration
internal import MillraceConsole
internal import MillraceDaemon
internal import MillraceEvent
internal import MillraceJSON
internal import MillracePostgres

/// `millrace backup make`, which is what `millrace backup` does.
struct BackupMake: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "make", abstract: "Make a backup, and remove those whose time is over.",
        discussion: """
            Readers and writers go on. What was acknowledged before it began is in it.

            Example:
              millrace backup --config /etc/millrace/config.toml
              millrace backup --base
            """)

    struct Report: Encodable {
        var name: String
        var kind: String
        var path: String
        var begunAt: String
        var bytes: Int
        var seconds: Double
        /// In the tables, by the ledger.
        var rows: Int
        /// Segments of this host's spool.
        var segments: Int
        var removed: [String]
        var notes: [String]
    }

    @OptionGroup var options: ConfigurationOptions
    @Flag(help: "Copy the embedded database's cluster, as the beginning of `millrace restore --to`.") var base = false
    @Option(help: "Tables dumped at the same time. Default: backup.jobs.") var jobs: Int?
    @Flag(help: "No progress.") var quiet = false
    @Flag(help: "The report as JSON.") var json = false

    func validate() throws {
        guard jobs.map({ (1...64).contains($0) }) ?? true else { throw ValidationError("--jobs is 1 to 64.") }
    }

    func run() throws {
        // Also for what PostgreSQL's programs write.
        umask(0o077)
        let context = try options.context()
        var configuration = context.configuration.resolvedBackup
        configuration.jobs = jobs ?? configuration.jobs
        if base { try requireEmbedded(context) }
        let connectionString =
            try base
            ? context.configuration.embeddedCluster.superuserConnectionString : context.backupConnectionString()
        let store = BackupStore(directory: configuration.directory)
        try store.prepare()
        let maker = try BackupMaker(
            configuration,
            source: .init(
                connectionString: connectionString, spoolDirectory: context.spoolDirectory, millrace: Version.current,
                host: HostName.current))
        var meter = ProgressMeter(isQuiet: quiet)
        let tell = { (step: BackupMaker.Step, share: Double) in
            meter.update(count: 0) { elapsed, _ in BackupCommand.line(step.rawValue, share, elapsed) }
        }
        let made =
            try base
            ? maker.base(of: context.configuration.embeddedCluster, progress: tell) : maker.dump(progress: tell)
        meter.finish()
        var report = Report(
            name: "\(made.name)", kind: made.name.kind.rawValue, path: store.path(made.name),
            begunAt: made.manifest.begunAt, bytes: made.manifest.bytes, seconds: meter.elapsed.reportedSeconds,
            rows: made.manifest.database.ledger.rows, segments: made.manifest.spool?.segments.count ?? 0, removed: [],
            notes: notes(made.manifest, context.configuration))
        // From here on there is a backup, whatever else fails.
        do {
            report.removed = try maker.prune().map { "\($0)" }
        } catch {
            report.notes.append("the old ones were not removed: \(error)")
        }
        do {
            try record(report, connectionString)
        } catch {
            report.notes.append("the audit log has no row of it: \(error)")
        }
        withExtendedLifetime(maker) {}
        if json { try Console.json(report) } else { print(report) }
    }

    private func requireEmbedded(_ context: CommandContext) throws {
        let cluster = context.configuration.embeddedCluster
        guard try cluster.hasData && context.connectionString() == cluster.connectionString else {
            throw BackupError(
                .notEmbedded, "--base is for the embedded database, and database.url names another",
                hint: "For a server of your own take pgBackRest or barman: the guide Backup says how.")
        }
    }

    private func notes(_ manifest: BackupManifest, _ configuration: DaemonConfiguration) -> [String] {
        var notes: [String] = []
        let others = manifest.database.spools.filter { $0.spoolId != manifest.spool?.spoolId }.map(\.host)
        if manifest.spool == nil { notes.append("there is no spool on this host: the database only") }
        if !others.isEmpty {
            notes.append(
                "spools of other hosts are not in it (\(Set(others).sorted().joined(separator: ", "))): what they hold "
                    + "goes into the database after a restore, as far as their spool.retain reaches")
        }
        if base, !configuration.backup.wal {
            notes.append("backup.wal is off: it can be restored as of its own end, and to no later time")
        }
        return notes
    }

    private func record(_ report: Report, _ connectionString: String) throws {
        let connection = try PostgresConnection(
            connectionString: connectionString, applicationName: "millrace backup", connectTimeout: .seconds(30),
            interrupt: PostgresInterrupt())
        try connection.transaction { () throws(PostgresError) in
            try AuditLog.record(
                .backupMake, report.name,
                after: ["bytes": .integer(report.bytes), "path": .string(report.path)], on: connection)
            for name in report.removed { try AuditLog.record(.backupRemove, name, on: connection) }
        }
    }

    private func print(_ report: Report) {
        Console.out(
            "\(report.path): \(Format.bytes(report.bytes)), \(Format.count(report.rows)) rows, "
                + "\(Format.count(report.segments)) segments of the spool, in \(Format.duration(.seconds(report.seconds)))"
        )
        for name in report.removed { Console.out("removed \(name)") }
        for note in report.notes { Console.out("note  \(note)") }
    }
}
