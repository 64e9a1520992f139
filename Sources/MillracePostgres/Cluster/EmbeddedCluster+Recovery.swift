internal import CLibPQ
internal import FoundationEssentials
internal import Glibc

/// Base backups, and recoveries from one to a point in time. Every function blocks.
extension EmbeddedCluster {
    /// The role that owns all, and may do all.
    package var superuserConnectionString: String { connectionString(role: "postgres", database: "millrace") }

    /// Where the cluster's files are: nil before the first start.
    package var hasData: Bool { Self.major(ofData: data) != nil }

    /// Where the disk is that the cluster is on, or will be.
    package var dataParent: String { FileManager.default.fileExists(atPath: root) ? root : directory }

    /// Copies the running cluster by pg_basebackup, the log that it needs included, and has the copy verified by
    /// pg_verifybackup. `target`: made here. `lock`: as of `ToolProcess.run`. Throws where the server does not run.
    package func copyBase(
        to target: String, holding lock: Int32, progress: (_ share: Double) -> Void
    ) throws(EmbeddedClusterError) {
        let installation = try PostgresInstallation.find(major: Self.major(ofData: data))
        let copied = ToolProcess.run(
            [
                installation.binaries + "/pg_basebackup", "--pgdata", target, "--format", "plain", "--wal-method",
                "stream", "--checkpoint", "fast", "--manifest-checksums", "SHA256", "--label", "millrace", "--progress",
                "--no-password", "--dbname", connectionString(role: "postgres", database: "postgres"),
            ], holding: lock
        ) { line in
            // " 12345/67890 kB (18%), 0/1 tablespace"
            guard let match = line?.firstMatch(of: #/\(([0-9]+)%\)/#), let percent = Double(match.output.1) else {
                return
            }
            progress(percent / 100)
        }
        guard copied.isSuccess else { throw Self.backupFailed("pg_basebackup", copied) }
        try verifyBase(target)
    }

    /// Compares a copy with the manifest that pg_basebackup has put into it, and reads the log that it needs.
    package func verifyBase(_ copy: String) throws(EmbeddedClusterError) {
        let installation = try PostgresInstallation.find(major: Self.major(ofData: copy))
        let verified = ToolProcess.run([installation.binaries + "/pg_verifybackup", "--quiet", copy])
        guard verified.isSuccess else { throw Self.backupFailed("pg_verifybackup", verified) }
    }

    /// Makes a cluster of the copy `base`, has it replay the log of `archive` up to `time` (inclusive; nil: all there is),
    /// and puts it in the place of the cluster that was there, which is kept. Where this is interrupted, the old one stays.
    ///
    /// - Parameters:
    ///   - time: as PostgreSQL reads one, with its zone.
    ///   - timeline: as `recovery_target_timeline` has it: `latest`, `current` for the copy's own, or a number.
    ///   - kept: what the folder of the old cluster is called from then on.
    /// - Returns: where the old cluster is; nil where there was none.
    package func recover(
        from base: String, by archive: WALArchive, to time: String?, on timeline: String, keepingAs kept: String,
        progress: @escaping (String) -> Void
    ) throws(EmbeddedClusterError) -> String? {
        let account = try ServerAccount.current()
        let installation = try PostgresInstallation.find(major: Self.major(ofData: base))
        try prepareDirectories(account)
        var waiting = ClusterWait(limit: .seconds(10), setting: "the limit", progress: progress)
        let turn = try StartTurn(of: root, waiting: &waiting)
        defer { turn.end() }
        try requireStopped(data)
        try writeScripts(account)
        try prepareFolder(archive, account)
        let fresh = recovering
        try endRecovery(progress)
        do {
            progress("copying the base backup")
            try copy(base, to: fresh, account, turn)
            progress("replaying the log\(time.map { " up to \($0)" } ?? "")")
            try replay(fresh, archive, (time, timeline), account, installation, progress)
        } catch {
            // It takes as much room as the cluster itself.
            try endRecovery(progress)
            _ = ToolProcess.run(["/bin/rm", "-rf", fresh], holding: turn.descriptor)
            throw error
        }
        let old = try put(fresh, keepingAs: root + "/" + kept)
        if settings.archive != nil { publishLog(to: archive, account, turn, progress) }
        return old
    }

    /// What a recovered cluster has archived for itself goes into the archive once the cluster is the one in use: another
    /// recovery would follow its timeline. Where that fails, the next start does it.
    func publishLog(
        to archive: WALArchive, _ account: ServerAccount, _ turn: StartTurn, _ progress: (String) -> Void
    ) {
        let own = Self.ownArchive(of: data)
        guard FileManager.default.fileExists(atPath: own) else { return }
        let output = account.run(
            ["sh", "-c", WALArchive.publishScript, "sh", own, archive.directory], holding: turn,
            timeout: .seconds(600))
        guard output.status != 0 else { return }
        progress("the log of the recovered cluster could not be put into \(archive.directory): \(output.lastLine)")
    }

    /// Where a cluster that is being recovered archives its log.
    private static func ownArchive(of data: String) -> String { data + "/millrace-wal" }

    /// Makes the archive's folder where it is missing, and the scripts.
    func prepare(_ archive: WALArchive, _ account: ServerAccount) throws(EmbeddedClusterError) {
        try prepareFolder(archive, account)
        try writeScripts(account)
    }

    private func prepareFolder(_ archive: WALArchive, _ account: ServerAccount) throws(EmbeddedClusterError) {
        try account.makeDirectory(archive.directory)
        try account.checkReach(archive.directory)
    }

    private func writeScripts(_ account: ServerAccount) throws(EmbeddedClusterError) {
        for (name, text) in [("archive-wal", WALArchive.archiveScript), ("restore-wal", WALArchive.restoreScript)] {
            // Whole or not at all: one may be running.
            let output = account.run(
                [
                    "sh", "-c", "printf '%s' \"$1\" > \"$2.new\" && mv -f \"$2.new\" \"$2\"", "sh", text,
                    "\(root)/\(name)",
                ],
                timeout: .seconds(60))
            guard output.status == 0 else {
                throw EmbeddedClusterError(
                    code: .directoryUnreachable, message: "\(root)/\(name) cannot be written: \(output.lastLine)",
                    hint: "Make room on the disk of \(root).")
            }
        }
    }

    private func requireStopped(_ data: String) throws(EmbeddedClusterError) {
        let processes = ServerProcesses(data: data).all
        guard !processes.isEmpty else { return }
        throw EmbeddedClusterError(
            code: .running,
            message: "PostgreSQL runs in \(data), as \(processes.map { "\($0)" }.joined(separator: ", "))",
            hint: "Stop the daemon (SIGTERM), which stops it too, and try again.")
    }

    // MARK: - Steps of a recovery

    /// Of a recovery that is not over.
    private var recovering: String { root + "/data.recovering" }

    /// Ends the server of a recovery whose command was killed: it would keep the socket, and nobody wants what it makes.
    func endRecovery(_ progress: @escaping (String) -> Void) throws(EmbeddedClusterError) {
        let processes = ServerProcesses(data: recovering)
        guard !processes.all.isEmpty else { return }
        var waiting = ClusterWait(limit: .seconds(60), setting: "the limit", progress: progress)
        progress("ending the recovery of a restore that was killed")
        while !processes.all.isEmpty {
            if let pid = processes.postmaster { kill(pid, SIGQUIT) }
            guard !waiting.isOver else {
                throw EmbeddedClusterError(
                    code: .running,
                    message: "the PostgreSQL of a restore that was killed does not end, in \(recovering)",
                    hint: "End it: kill -9 \(processes.all.map { "\($0)" }.joined(separator: " "))")
            }
            waiting.goesOn("the recovery of a restore that was killed to end")
        }
    }

    private func copy(
        _ base: String, to fresh: String, _ account: ServerAccount, _ turn: StartTurn
    ) throws(EmbeddedClusterError) {
        // By whoever runs this: the account may not read the backups. Each program ends with this process, as those that a
        // shell starts would not.
        let steps = [
            ["/bin/rm", "-rf", fresh], ["/bin/cp", "-a", "--reflink=auto", base, fresh],
            ["/bin/rm", "-rf", fresh + "/postmaster.pid", fresh + "/backup_manifest", Self.ownArchive(of: fresh)],
            ["/bin/mkdir", Self.ownArchive(of: fresh)], ["/bin/touch", fresh + "/recovery.signal"],
            ["/bin/chown", "-R", "\(account.userID):\(account.groupID)", fresh], ["/bin/chmod", "0700", fresh],
        ]
        for step in steps {
            let output = ToolProcess.run(step, holding: turn.descriptor)
            guard output.isSuccess else {
                throw EmbeddedClusterError(
                    code: .recoveryFailed, message: "the base backup cannot be copied: \(output.reason)",
                    hint: "Make room on the disk of \(root); the cluster that is there is as it was.")
            }
        }
    }

    private func replay(
        _ fresh: String, _ archive: WALArchive, _ target: (time: String?, timeline: String), _ account: ServerAccount,
        _ installation: PostgresInstallation, _ progress: @escaping (String) -> Void
    ) throws(EmbeddedClusterError) {
        let log = logDirectory + "/recovery.log"
        _ = account.run(["rm", "-f", log], timeout: .seconds(10))
        let others =
            [
                archive.restoreOption(scripts: root, before: logsBefore()), "logging_collector=off",
                "log_min_messages=warning", "log_error_verbosity=terse",
                // Who connects then, is let in once it has been promoted.
                "hot_standby=off", "recovery_target_action=promote", "recovery_target_timeline=\(target.timeline)",
            ] + (target.time.map { ["recovery_target_time=\($0)"] } ?? [])
            + (settings.archive.map { archive in
                WALArchive(directory: Self.ownArchive(of: fresh), timeout: archive.timeout).options(scripts: root)
            } ?? [])
        let output = account.run(
            [
                installation.binaries + "/pg_ctl", "start", "--pgdata", fresh, "--no-wait", "--silent", "--log", log,
                "--options", serverOptions(fresh, account, installation, others: others),
            ], timeout: .seconds(60))
        guard output.status == 0 else { throw Self.recoveryFailed(output.lastLine, log) }
        let processes = ServerProcesses(data: fresh)
        var waiting = ClusterWait(limit: nil, progress: progress)
        var seenAt = Duration.zero
        while true {
            if processes.postmaster != nil {
                if isPromoted { break }
                seenAt = waiting.elapsed
            } else if processes.all.isEmpty, waiting.elapsed - seenAt > Self.absenceMax {
                throw Self.recoveryFailed(reason(in: log), log)
            }
            waiting.goesOn("the replay")
        }
        try stopAgain(processes)
    }

    /// Of the cluster in use, and of those that were kept, the newest first.
    private func logsBefore() -> [String] {
        let kept = ((try? FileManager.default.contentsOfDirectory(atPath: root)) ?? [])
            .filter { $0.hasPrefix("data.before-") }.sorted().reversed()
        return ([data] + kept.map { "\(root)/\($0)" }).map { $0 + "/pg_wal" }
    }

    /// From pg_ctl's start to the first process.
    private static let absenceMax = Duration.seconds(2)

    private var isPromoted: Bool {
        let connection = try? PostgresConnection(
            connectionString: connectionString(role: "postgres", database: "postgres"),
            applicationName: "millrace restore", connectTimeout: .seconds(3), interrupt: PostgresInterrupt())
        return (try? connection?.execute("SELECT NOT pg_is_in_recovery()").bool(0, 0)) ?? false
    }

    private func stopAgain(_ processes: ServerProcesses) throws(EmbeddedClusterError) {
        var waiting = ClusterWait(limit: .seconds(600)) { _ in }
        guard let pid = processes.postmaster else { return }
        kill(pid, SIGINT)
        while !processes.all.isEmpty {
            guard !waiting.isOver else {
                throw EmbeddedClusterError(
                    code: .stopFailed, message: "the recovered PostgreSQL, process \(pid), does not stop",
                    hint: "Read \(logDirectory)/recovery.log.")
            }
            waiting.goesOn("the recovered PostgreSQL to write everything out")
        }
    }

    /// In one step, so that at each moment there is one whole cluster under the name.
    private func put(_ fresh: String, keepingAs kept: String) throws(EmbeddedClusterError) -> String? {
        let failed = { (what: String) in
            EmbeddedClusterError(
                code: .recoveryFailed, message: "\(what): \(String(cString: strerror(errno)))",
                hint: "The recovered cluster is in \(fresh); the one that was there is as it was.")
        }
        defer {
            let folder = open(root, O_RDONLY | O_DIRECTORY | O_CLOEXEC)
            fsync(folder)
            close(folder)
        }
        guard hasData else {
            guard rename(fresh, data) == 0 else { throw failed(data) }
            return nil
        }
        guard rename(fresh, kept) == 0 else { throw failed(kept) }
        guard renameat2(AT_FDCWD, kept, AT_FDCWD, data, MR_RENAME_EXCHANGE) == 0 else { throw failed(data) }
        return kept
    }

    /// What the server said last before it ended.
    private func reason(in log: String) -> String {
        let text = FileManager.default.contents(atPath: log).map { String(decoding: $0, as: UTF8.self) } ?? ""
        let lines = text.split(separator: "\n").map { String($0) }
        let line = lines.last { $0.contains("FATAL:") } ?? lines.last ?? "it said nothing"
        return line.firstRange(of: "FATAL:").map { line[$0.upperBound...].drop { $0 == " " } }.map { String($0) }
            ?? line
    }

    private static func recoveryFailed(_ reason: String, _ log: String) -> EmbeddedClusterError {
        let isShort = reason.contains("before configured recovery target was reached")
        return EmbeddedClusterError(
            code: .recoveryFailed, message: "the recovery ended: \(reason)",
            hint: isShort
                ? "The log that is there ends before that time, or nothing was written from then on: --to latest takes all of it. Read \(log)."
                : "Read \(log); the cluster that was there is as it was.")
    }

    private static func backupFailed(_ program: String, _ output: ToolProcess.Output) -> EmbeddedClusterError {
        EmbeddedClusterError(
            code: .backupFailed, message: "\(program) failed: \(output.reason)",
            hint: output.lines.contains { $0.contains("No space left on device") }
                ? "Make room on the disk of backup.directory." : "Read the server's log.")
    }
}
