internal import FoundationEssentials
internal import MillraceBackup
internal import MillraceConfiguration
internal import MillraceConsole
internal import MillraceEvent
internal import MillraceJSON
internal import MillracePostgres
internal import MillraceProjections
internal import MillraceSpool

/// Takes the embedded database to a point in time: a base backup, and from there its archived log. Blocks.
///
/// The recovered cluster takes the place of the old one in one step at the end, on a timeline of its own; the old one is kept
/// beside. The daemon reads the ledger at its next start, finds that it lacks what came after that time, and writes it again
/// from the spool, unless the spool was set aside.
struct TimeRestoration {
    let context: CommandContext
    let store: BackupStore
    let spool: RestoreCommand.Spool
    /// A step, and the share of it that is done.
    let tell: (String, Double?) -> Void

    /// `text`: the base backup's name; nil: the newest that was done by then.
    func run(_ text: String?, to target: RestoreTarget) throws -> RestoreReport {
        let cluster = context.configuration.embeddedCluster
        if case .time(let time) = target, time > .now {
            throw CommandError("--to \(time.rfc3339) is in the future", hint: "Give a time that is over, or latest")
        }
        let name = try base(text, for: target)
        let lock = try store.lock()
        defer { withExtendedLifetime(lock) {} }
        let manifest = try store.manifest(of: name)
        // Also keeps a daemon from starting meanwhile.
        let spoolReturn = try SpoolReturn(directory: context.spoolDirectory)
        tell("verifying \(name)", nil)
        let check = BackupCheck(store: store, configuration: context.configuration).run(name) { _ in }
        guard check.problems.isEmpty else { throw BackupStore.damaged(name, check.problems.joined(separator: "; ")) }
        try FileManager.default.createDirectory(atPath: cluster.directory, withIntermediateDirectories: true)
        try requireRoom(manifest, in: cluster.dataParent)
        let backup = context.configuration.resolvedBackup
        let archive = WALArchive(directory: backup.walDirectory, timeout: backup.walTimeout)
        let stamp = "\(BackupName(.dump, at: .now))"
        var report = RestoreReport(backup: "\(name)", asOf: manifest.endedAt)
        if case .time(let time) = target { report.asOf = time.rfc3339 }
        let kept = try cluster.recover(
            from: "\(store.path(name))/\(BackupStore.database)",
            by: archive, to: Self.postgres(target), on: timeline(target, manifest, archive),
            keepingAs: "data.before-\(stamp)"
        ) { tell($0, nil) }
        if let kept { report.kept.append(kept) }
        var aside: UniqueID?
        if spool == .aside {
            let place = "\(context.spoolDirectory).before-\(stamp)"
            try spoolReturn.setAside(to: place)
            // Who was erased stays so, whatever becomes of the spool.
            let fileSystem = PosixFileSystem()
            try fileSystem.makeDirectories(context.spoolDirectory)
            try ErasureJournal(besideSpool: place).copy(to: ErasureJournal(besideSpool: context.spoolDirectory))
            aside = try SpoolInspector(directory: place).identity()
            report.kept.append(place)
            report.notes.append(
                "the daemon begins a new spool; what came after that time is in the old one, and nowhere else")
        }
        try look(cluster, manifest, without: aside, &report)
        withExtendedLifetime(spoolReturn) {}
        return report
    }

    /// What came out of it, by the account.
    private func look(
        _ cluster: EmbeddedCluster, _ manifest: BackupManifest, without aside: UniqueID?, _ report: inout RestoreReport
    ) throws {
        var found = report
        try EmbeddedUse(cluster).run(
            timeout: context.configuration.embedded.startTimeout, tell: { tell($0, nil) }
        ) { cluster in
            let connection = try context.connect(to: cluster.superuserConnectionString)
            found.rows = try connection.execute(
                "SELECT COALESCE(sum(rows), 0)::bigint FROM public.ingest_batches", timeout: .seconds(3600)
            ).count(0, 0)
            found.verification = try context.verification(on: connection).run { tell("verifying \($0)", nil) }
            // No daemon will come with that spool: nobody is to wait for it.
            if let aside, try connection.hasRelation("public.daemons") {
                _ = try DaemonTable(connection: connection).forget(aside)
                _ = try ErasureQueue(on: connection).forget(spool: aside)
            }
            let erasures = try ErasedAgain(
                store: store, spoolDirectory: context.spoolDirectory, packs: context.packs())
            let added = try erasures.add(manifest, on: connection, &found)
            try erasures.queue(added, on: connection, &found)
            let (backup, asOf) = (found.backup, found.asOf)
            try connection.transaction { () throws(PostgresError) in
                try AuditLog.record(.backupRestore, backup, after: ["to": .string(asOf)], on: connection)
            }
        }
        report = found
    }

    private func base(_ text: String?, for target: RestoreTarget) throws -> BackupName {
        if text != nil {
            let name = try BackupCommand.find(text, in: store)
            guard name.kind == .base else {
                throw BackupError(
                    .noBaseBackup, "\(name) is a dump, and the log can't go on from one",
                    hint: "Give a base backup (millrace backup list), or restore the dump without --to.")
            }
            return name
        }
        let names = try store.names().filter { $0.kind == .base }
        for name in names.reversed() {
            guard case .time(let time) = target else { return name }
            guard let manifest = try? store.manifest(of: name), let end = Timestamp(rfc3339: manifest.endedAt) else {
                continue
            }
            if end <= time { return name }
        }
        throw BackupError(
            .noBaseBackup,
            names.isEmpty
                ? "there is no base backup in \(store.directory)"
                : "no base backup in \(store.directory) was done by then",
            hint: names.isEmpty
                ? "Set backup.wal = true, and make one: millrace backup --base. Without one, restore a dump."
                : "The oldest is \(names[0]): give a later time, or restore a dump.")
    }

    private func requireRoom(_ manifest: BackupManifest, in directory: String) throws {
        let free = try PosixFileSystem().freeBytes(at: directory)
        guard free < manifest.clusterBytes else { return }
        throw BackupError(
            .noSpace,
            "\(directory) has \(Format.bytes(free)) free, and the cluster takes \(Format.bytes(manifest.clusterBytes)): the one that is there is kept",
            hint: "Make room, or restore it elsewhere (--data-directory).")
    }

    /// The one that the database was on at that time: after a recovery to an earlier one, another one is the newest.
    private func timeline(_ target: RestoreTarget, _ manifest: BackupManifest, _ archive: WALArchive) -> String {
        guard case .time(let time) = target else { return "latest" }
        let wanted = archive.timeline(at: Int(time.microseconds / 1_000_000)) ?? 1
        return wanted > manifest.database.timeline ?? 1 ? "\(wanted)" : "current"
    }

    /// As PostgreSQL reads a time before it knows any zone's name: `2026-11-30 10:04:59.000000+00`.
    private static func postgres(_ target: RestoreTarget) -> String? {
        guard case .time(let time) = target else { return nil }
        return time.rfc3339.replacing("T", with: " ").replacing("Z", with: "+00")
    }
}
