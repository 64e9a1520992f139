internal import MillraceBackup
internal import MillraceConfiguration
internal import MillraceConsole
internal import MillraceEvent
internal import MillracePostgres
internal import MillraceSpool
internal import MillraceWriter

/// Whether there is a backup, and whether the spool holds what came after it.
struct BackupChecks {
    let configuration: DaemonConfiguration

    func run() -> [CheckResult] {
        if configuration.database.distribution == .citus {
            return [
                CheckResult(
                    "backup", ok: true, detail: "of a cluster none is made: each node has tools of its own", fix: "")
            ]
        }
        return [newest] + (configuration.backup.wal ? [log] : [])
    }

    private var newest: CheckResult {
        let backup = configuration.resolvedBackup
        let watch = BackupWatch(backup)
        let latest = BackupName.Kind.allCases.map { watch.look(at: $0) }.max { $0.begunAt < $1.begunAt }
        guard let latest, let name = latest.name, latest.begunAt > 0 else {
            return .warning(
                "backup", detail: "there is none in \(backup.directory)",
                fix: "Make one: millrace backup; and let a timer make them (millrace-backup.timer).")
        }
        let age = Duration.seconds(Double(Timestamp.now.microseconds) / 1e6 - latest.begunAt)
        let detail = "\(name) is \(Format.duration(age)) old, \(Format.bytes(latest.bytes)), in \(backup.directory)"
        if backup.ageMax > .zero, age > backup.ageMax {
            return .warning(
                "backup", detail: detail + "; backup.age_max is \(Format.duration(backup.ageMax))",
                fix: "See why no newer one was made: systemctl status millrace-backup, or run millrace backup.")
        }
        let retain = configuration.spool.retain
        guard age > retain, !isLogCurrent(watch) else {
            return CheckResult("backup", ok: true, detail: detail, fix: "")
        }
        return .warning(
            "backup",
            detail: detail + "; the spool holds what was written since \(Format.duration(retain)) ago (spool.retain)",
            fix: "Were the database lost now, lines of \(Format.duration(age - retain)) would be lost with it: raise "
                + "spool.retain above the time between two backups, or archive the log (backup.wal, or your server's).")
    }

    /// Whether the log goes on from where the backup ends.
    private func isLogCurrent(_ watch: BackupWatch) -> Bool {
        configuration.backup.wal && watch.look(at: .base).name != nil && !isLogLate(watch)
    }

    /// Whether the database runs, and its log does not get to the archive.
    private func isLogLate(_ watch: BackupWatch) -> Bool {
        // A daemon that has nothing to do writes its row of public.daemons that often.
        let pause = configuration.database.presenceInterval * 12
        return configuration.embeddedCluster.isAlive
            && logAge(watch) > configuration.backup.walTimeout * 2 + pause + .seconds(60)
    }

    private func logAge(_ watch: BackupWatch) -> Duration {
        .seconds(Double(Timestamp.now.microseconds) / 1e6 - watch.walArchivedAt)
    }

    private var log: CheckResult {
        let backup = configuration.resolvedBackup
        let watch = BackupWatch(backup)
        guard watch.look(at: .base).name != nil else {
            return .warning(
                "archived log", detail: "backup.wal is on, and there is no base backup that it could go on from",
                fix: "Make one: millrace backup --base; until then nothing of \(backup.walDirectory) is removed.")
        }
        guard watch.walArchivedAt > 0 else {
            return .warning(
                "archived log", detail: "nothing was archived in \(backup.walDirectory)",
                fix: "It begins at the embedded database's next start; see its log for what archive-wal says.")
        }
        let detail = "last \(Format.duration(logAge(watch))) ago, in \(backup.walDirectory)"
        guard !isLogLate(watch) else {
            return .warning(
                "archived log", detail: detail + ", though the database runs",
                fix: "Make room there, and see the embedded database's log for what archive-wal says: "
                    + "\(configuration.embeddedCluster.logDirectory).")
        }
        return CheckResult("archived log", ok: true, detail: detail, fix: "")
    }
}
