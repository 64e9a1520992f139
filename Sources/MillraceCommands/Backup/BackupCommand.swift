internal import ArgumentParser
internal import MillraceBackup
internal import MillraceConfiguration
internal import MillraceConsole

/// `millrace backup`: make, list and verify backups.
struct BackupCommand: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "backup",
        abstract: "Back the database and the spool up, while the daemon runs; list backups, and verify them.",
        discussion: """
            A backup is a folder in backup.directory: what pg_dump makes of the database, the segments of this host's \
            spool, and a manifest with the checksum of each file. It gets its name once all of it is on disk; what was \
            interrupted never does, and goes with the next backup. Then the oldest go, by backup.keep and \
            backup.keep_age.

            With --base it is a copy of the embedded database's whole cluster, from which `millrace restore --to` goes to a \
            point in time.

            Exit status: 0 done, 1 failed, 2 wrong usage.

            Example:
              millrace backup
              millrace backup list
              millrace backup verify 20261130T100500Z
            """,
        subcommands: [BackupMake.self, BackupList.self, BackupVerify.self],
        defaultSubcommand: BackupMake.self)
}

extension BackupCommand {
    /// The backup of a name, or the newest of `kind` without one. Throws `notFound`.
    static func find(
        _ text: String?, kind: BackupName.Kind? = nil, in store: BackupStore
    ) throws -> BackupName {
        let names = try store.names()
        if let text {
            guard let name = BackupName(text), names.contains(name) else {
                throw BackupError(
                    .notFound, "there is no backup \(text) in \(store.directory)", hint: "See `millrace backup list`.")
            }
            return name
        }
        guard let newest = names.last(where: { kind == nil || $0.kind == kind }) else {
            throw BackupError(
                .notFound, "there is no backup in \(store.directory)",
                hint: "Make one: millrace backup\(kind == .base ? " --base" : ""); or set backup.directory.")
        }
        return newest
    }
}

/// `millrace backup list`.
struct BackupList: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "list", abstract: "Every whole backup, oldest first.",
        discussion: """
            Example:
              millrace backup list --json
            """)

    struct Entry: Encodable {
        var name: String
        var kind: String
        var path: String
        var begunAt: String?
        var bytes: Int?
        var rows: Int?
        var host: String?
        var millrace: String?
        /// Why the manifest can't be read.
        var problem: String?
    }

    @OptionGroup var options: ConfigurationOptions
    @Flag(help: "The list as JSON.") var json = false

    func run() throws {
        let store = BackupStore(directory: try options.context().configuration.backupDirectory)
        let entries = try store.names().map { name -> Entry in
            var entry = Entry(name: "\(name)", kind: name.kind.rawValue, path: store.path(name))
            do {
                let manifest = try store.manifest(of: name)
                entry.begunAt = manifest.begunAt
                entry.bytes = manifest.bytes
                entry.rows = manifest.database.ledger.rows
                entry.host = manifest.host
                entry.millrace = manifest.millrace
            } catch {
                entry.problem = "\(error)"
            }
            return entry
        }
        if json { return try Console.json(["backups": entries]) }
        guard !entries.isEmpty else { return Console.out("no backup in \(store.directory)") }
        let rows = entries.map { entry in
            [
                entry.name, entry.kind, entry.bytes.map { Format.bytes($0) } ?? "",
                entry.rows.map { Format.count($0) } ?? "", entry.host ?? "",
            ]
        }
        Console.out(Format.table([["backup", "kind", "size", "rows", "host"]] + rows))
        for entry in entries { if let problem = entry.problem { Console.out("\(entry.name): \(problem)") } }
    }
}

/// `millrace backup verify`.
struct BackupVerify: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "verify", abstract: "Read a backup, and compare every file with its checksum.",
        discussion: """
            Of a base backup, pg_verifybackup does that, and reads the log in it.

            Exit status: 0 it is whole, 1 it is not, 2 wrong usage.

            Example:
              millrace backup verify
              millrace backup verify --all
            """)

    struct Report: Encodable {
        struct Entry: Encodable {
            var name: String
            var ok: Bool
            var bytes: Int
            var problems: [String]
        }

        var ok: Bool
        var backups: [Entry]
    }

    @OptionGroup var options: ConfigurationOptions
    @Argument(help: "A name as `backup list` has it. Default: the newest.") var name: String?
    @Flag(help: "All of them.") var all = false
    @Flag(help: "No progress.") var quiet = false
    @Flag(help: "The report as JSON.") var json = false

    func validate() throws {
        guard name == nil || !all else { throw ValidationError("Give a name or --all.") }
    }

    func run() throws {
        let context = try options.context()
        let store = BackupStore(directory: context.configuration.backupDirectory)
        let names = try all ? store.names() : [BackupCommand.find(name, in: store)]
        var meter = ProgressMeter(isQuiet: quiet)
        let entries = names.map { name in
            let result = BackupCheck(store: store, configuration: context.configuration).run(name) { share in
                meter.update(count: 0) { elapsed, _ in BackupCommand.line("verifying \(name)", share, elapsed) }
            }
            return Report.Entry(
                name: "\(name)", ok: result.problems.isEmpty, bytes: result.bytes, problems: result.problems)
        }
        meter.finish()
        let report = Report(ok: entries.allSatisfy(\.ok), backups: entries)
        if json {
            try Console.json(report)
        } else {
            for entry in entries {
                Console.out("\(entry.name): \(entry.ok ? "whole, \(Format.bytes(entry.bytes))" : "DAMAGED")")
                for problem in entry.problems { Console.out("  \(problem)") }
            }
        }
        if !report.ok { throw ExitCode.failure }
    }
}
