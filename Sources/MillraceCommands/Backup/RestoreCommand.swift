internal import ArgumentParser
internal import MillraceBackup
internal import MillraceConfiguration
internal import MillraceConsole
internal import MillraceEvent

/// `millrace restore`: a backup into an empty database, or the embedded cluster to a point in time.
struct RestoreCommand: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "restore",
        abstract: "Restore a backup into an empty database, or the embedded database to a point in time.",
        discussion: """
            Reads the backup against its checksums, restores it into the database in use, which must be empty, and then \
            looks at it as `millrace verify` does. Until all of that is done the database has no migrations applied, so that \
            a daemon waits. What was acknowledged after the backup comes out of the spool: the daemon writes what the \
            database lacks, as far as spool.retain reaches, and segments that only backups still have are put back into it \
            where the daemon does not run.

            --to goes to a point in time: the newest base backup before it, and from there the log that backup.wal has \
            archived. It wants the embedded database, and the daemon stopped; the cluster that was there is kept beside. The \
            spool then brings back what came after that time, once only; with --spool aside it does not.

            Exit status: 0 done, 1 failed or something is lost, 2 wrong usage.

            Example:
              millrace restore 20261130T100500Z
              millrace restore --embedded --data-directory /var/lib/millrace
              millrace restore --to 2026-11-30T10:04:59Z
            """)

    enum Spool: String, ExpressibleByArgument, CaseIterable {
        /// The daemon writes what the database lacks.
        case replay
        /// The daemon begins a new spool.
        case aside
    }

    @OptionGroup var options: ConfigurationOptions
    @Argument(help: "A name as `backup list` has it. Default: the newest that will do.") var name: String?
    @Flag(help: "Into the database of `serve --embedded`, which is made and started where it is not.") var embedded =
        false
    @Option(help: ArgumentHelp("The point in time: RFC 3339, or latest for all there is.", valueName: "time"))
    var to: RestoreTarget?
    @Option(help: "With --to: what becomes of lines that came after that time: replay, aside.") var spool = Spool.replay
    @Flag(help: "Only put segments of the spool back that the database lacks lines of. The daemon must not run.")
    var segments = false
    @Option(help: "Tables restored at the same time. Default: backup.jobs.") var jobs: Int?
    @Flag(help: "No progress.") var quiet = false
    @Flag(help: "The report as JSON.") var json = false

    func validate() throws {
        guard jobs.map({ (1...64).contains($0) }) ?? true else { throw ValidationError("--jobs is 1 to 64.") }
        guard to != nil || spool == .replay else { throw ValidationError("--spool aside goes with --to.") }
        guard !segments || (to == nil && name == nil) else {
            throw ValidationError("--segments goes by all backups, and with neither a name nor --to.")
        }
    }

    func run() throws {
        let context = try options.context()
        let store = BackupStore(directory: context.configuration.backupDirectory)
        var meter = ProgressMeter(isQuiet: quiet)
        let tell = { (step: String, share: Double?) in
            meter.update(count: 0) { elapsed, _ in
                share.map { BackupCommand.line(step, $0, elapsed) } ?? "\(step)  \(Format.duration(elapsed))"
            }
        }
        var report: RestoreReport
        if segments {
            report = RestoreReport(backup: "segments", asOf: Timestamp.now.rfc3339)
            let outcome = try SegmentRestoration(store: store, spoolDirectory: context.spoolDirectory).run(
                on: try context.connect(to: try context.backupConnectionString()))
            report.segments = outcome.returned
            if let note = outcome.note { throw CommandError(note, hint: "Nothing was changed") }
        } else if let to {
            report = try TimeRestoration(context: context, store: store, spool: spool, tell: tell).run(name, to: to)
        } else {
            var configuration = context.configuration.resolvedBackup
            configuration.jobs = jobs ?? configuration.jobs
            report = try DumpRestoration(
                context: context, configuration: configuration, isEmbedded: embedded, tell: tell
            ).run(try BackupCommand.find(name, kind: .dump, in: store))
        }
        meter.finish()
        report.seconds = meter.elapsed.reportedSeconds
        if json { try Console.json(report) } else { Console.out(report.text) }
        if !report.ok { throw ExitCode.failure }
    }
}

/// Up to when `restore --to` replays the log.
enum RestoreTarget: Equatable, ExpressibleByArgument {
    case latest
    case time(Timestamp)

    init?(argument: String) {
        if argument == "latest" {
            self = .latest
        } else if let time = Timestamp(rfc3339: argument) {
            self = .time(time)
        } else {
            return nil
        }
    }
}
