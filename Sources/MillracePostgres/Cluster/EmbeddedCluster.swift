internal import FoundationEssentials
internal import Glibc

/// A PostgreSQL of Millrace's own, under `DIR/postgres`, reached by a Unix socket only. Every function blocks.
///
///     DIR/postgres/data      the cluster; settings in postgresql.conf, where an operator may change them
///     DIR/postgres/socket    mode 0700: who may enter may connect, no password
///     DIR/postgres/log       the server's log, a file for each day of the week
///     DIR/postgres/*-wal     scripts, where the write-ahead log is archived
///
/// It outlives a daemon that is killed: the next `start` finds it running and uses it.
package struct EmbeddedCluster: Sendable {
    /// Absolute.
    package let directory: String
    let settings: EmbeddedClusterSettings

    /// - Parameter directory: the daemon's data directory; must exist.
    package init(directory: String, settings: EmbeddedClusterSettings = EmbeddedClusterSettings()) {
        self.directory =
            directory.hasPrefix("/") ? directory : FileManager.default.currentDirectoryPath + "/" + directory
        self.settings = settings
    }

    var root: String { directory + "/postgres" }
    var data: String { root + "/data" }
    private var processes: ServerProcesses { ServerProcesses(data: data) }
    /// The server's log: a reason that it gives stands there.
    package var logDirectory: String { root + "/log" }

    /// A socket's path holds 107 bytes, its name takes up to 20 of them.
    package var socketDirectory: String {
        let path = root + "/socket"
        return path.utf8.count <= 80 ? path : "/tmp/millrace-" + String(Self.hash(directory), radix: 16)
    }

    /// For the daemon: the role `millrace`, which owns the database and is no superuser.
    package var connectionString: String { connectionString(role: "millrace", database: "millrace") }

    /// For an operator's psql and for tests.
    package func connectionString(role: String, database: String) -> String {
        let host = socketDirectory.replacing("\\", with: "\\\\").replacing("'", with: "\\'")
        let server = serverUser.map { " requirepeer=\($0)" } ?? ""
        return "host='\(host)' port=5432 user=\(role) dbname=\(database)\(server)"
    }

    /// Who the server runs as: the owner of its folder. libpq then refuses a socket that someone else put in its place.
    private var serverUser: String? {
        var status = stat()
        guard lstat(root, &status) == 0 else { return nil }
        return getpwuid(status.st_uid).map { String(cString: $0.pointee.pw_name) }
    }

    /// Makes the cluster if there is none, starts it unless it runs, makes the database `millrace` if there is none.
    ///
    /// - Parameters:
    ///   - timeout: for the server to accept connections; a start after a crash replays its log first.
    ///   - progress: told what goes on, before each step that takes a while, and every few seconds what is waited for.
    package func start(
        timeout: Duration = .seconds(120),
        interrupt: PostgresInterrupt = PostgresInterrupt(),
        progress: @escaping (String) -> Void = { _ in }
    ) throws(EmbeddedClusterError) {
        let account = try ServerAccount.current()
        let installation = try PostgresInstallation.find(major: dataMajor())
        try prepareDirectories(account)
        var waiting = ClusterWait(limit: timeout, setting: "embedded.start_timeout", progress: progress)
        let turn = try StartTurn(of: root, waiting: &waiting)
        defer { turn.end() }
        try endRecovery(progress)
        if let archive = settings.archive {
            try prepare(archive, account)
            publishLog(to: archive, account, turn, progress)
        }
        if dataMajor() == nil {
            progress("creating a private PostgreSQL \(installation.major) cluster in \(root)")
            try initialize(account, installation, turn)
        }
        if let pid = processes.postmaster {
            progress("PostgreSQL \(installation.major) runs already, as process \(pid)")
        }
        var launches = 0
        while true {
            guard processes.postmaster != nil else {
                try launch(account, installation, &launches, waiting: &waiting)
                continue
            }
            do throws(PostgresError) {
                try createDatabase(interrupt)
                return
            } catch {
                // It may still recover, or still shut down after the last daemon's stop.
                guard error.code == .connectionFailed || error.code == .timedOut, !waiting.isOver else {
                    throw EmbeddedClusterError(
                        code: .startFailed, message: "PostgreSQL runs but does not answer: \(error.message)",
                        hint: "Read the server's log in \(logDirectory).")
                }
                waiting.goesOn("PostgreSQL to answer; it says: \(error.message)")
            }
        }
    }

    /// Disconnects every client and stops. Nothing to do when it does not run.
    package func stop(
        mode: ShutdownMode = .fast, timeout: Duration = .seconds(60), progress: @escaping (String) -> Void = { _ in }
    ) throws(EmbeddedClusterError) {
        var waiting = ClusterWait(limit: timeout, setting: "embedded.stop_timeout", progress: progress)
        guard let pid = processes.postmaster else { return }
        kill(pid, mode.signal)
        while processes.isPostmaster(pid) {
            guard !waiting.isOver else {
                throw EmbeddedClusterError(
                    code: .stopFailed, message: "PostgreSQL, process \(pid), does not stop in time",
                    hint: "It goes on stopping by itself; read its log in \(logDirectory).")
            }
            waiting.goesOn("PostgreSQL, process \(pid), to write everything out and end")
        }
    }

    package enum ShutdownMode: Sendable {
        /// Rolls back what is open, writes everything out.
        case fast
        /// As a crash: the next start recovers.
        case immediate

        fileprivate var signal: Int32 {
            switch self {
            case .fast: SIGINT
            case .immediate: SIGQUIT
            }
        }
    }

    /// Whether the server's process is there. Cheap: reads some small files.
    package var isAlive: Bool { processes.postmaster != nil }

    /// What to throw once it is not.
    package var ended: EmbeddedClusterError {
        EmbeddedClusterError(
            code: .ended, message: "the embedded PostgreSQL in \(root) has ended",
            hint: "Read the server's log in \(logDirectory); the next start starts it again.")
    }

    // MARK: - Steps

    /// The major version that made the data; nil when there is none.
    private func dataMajor() -> Int? { Self.major(ofData: data) }

    static func major(ofData data: String) -> Int? {
        guard let text = FileManager.default.contents(atPath: data + "/PG_VERSION") else { return nil }
        return Int(String(decoding: text, as: UTF8.self).prefix { $0.isNumber })
    }

    func prepareDirectories(_ account: ServerAccount) throws(EmbeddedClusterError) {
        try account.makeDirectory(root)
        try account.checkReach(root)
        try account.makeDirectory(logDirectory)
        try account.makeDirectory(socketDirectory)
    }

    /// Under another name first: what an interruption leaves is never taken for a cluster.
    private func initialize(
        _ account: ServerAccount, _ installation: PostgresInstallation, _ turn: StartTurn
    ) throws(EmbeddedClusterError) {
        let fresh = data + ".new"
        _ = account.run(["rm", "-rf", fresh], holding: turn, timeout: .seconds(60))
        var command = [
            installation.binaries + "/initdb", "--pgdata", fresh, "--username", "postgres", "--encoding", "UTF8",
            "--locale", "C.UTF-8", "--auth-local", "trust", "--auth-host", "reject", "--data-checksums",
        ]
        if !settings.isDurable { command.append("--no-sync") }
        let output = account.run(command, holding: turn, timeout: .seconds(300))
        guard output.status == 0 else {
            throw EmbeddedClusterError(
                code: .initFailed, message: "initdb failed: \(output.lastLine)",
                hint: "Check that \(root) is on a disk with room, and that the locale C.UTF-8 is there (locale -a).")
        }
        // As the server's user: root must not write where someone else could have put a link.
        let append = account.run(
            [
                "sh", "-c", "printf '%s' \"$1\" >> \"$2\"", "sh",
                settings.text(log: logDirectory, hasStatements: installation.hasStatements),
                fresh + "/postgresql.conf",
            ],
            timeout: .seconds(10))
        guard append.status == 0, rename(fresh, data) == 0 else {
            throw EmbeddedClusterError(
                code: .initFailed, message: "the new cluster could not be put in place: \(append.lastLine)",
                hint: "Check that \(root) is on a disk with room.")
        }
    }

    /// Starts the server's process. What a server that was killed has left is put out of the way first, or waited for.
    private func launch(
        _ account: ServerAccount, _ installation: PostgresInstallation, _ launches: inout Int,
        waiting: inout ClusterWait
    ) throws(EmbeddedClusterError) {
        let remains = processes.all
        guard remains.isEmpty || waiting.isOver else {
            let pids = remains.map { String($0) }.joined(separator: ", ")
            waiting.goesOn("processes \(pids) of the previous server, which was killed, to end")
            return
        }
        if launches == 0 { waiting.progress("starting PostgreSQL \(installation.major)") }
        launches += 1
        removeLockFiles(account, progress: waiting.progress)
        // Doesn't wait until it answers: what is waited for could not be said meanwhile.
        let output = account.run(
            [
                installation.binaries + "/pg_ctl", "start", "--pgdata", data, "--wait", "--silent",
                "--timeout", "2", "--log", logDirectory + "/start.log",
                "--options", serverOptions(data, account, installation),
            ], timeout: .seconds(60))
        guard output.status == 0 || processes.postmaster != nil else {
            guard launches >= 5 || waiting.isOver else {
                return waiting.goesOn("PostgreSQL to start: \(output.lastLine)")
            }
            throw EmbeddedClusterError(
                code: .startFailed, message: "PostgreSQL did not start: \(output.lastLine)",
                hint: "Read the server's log in \(logDirectory).")
        }
    }

    /// For pg_ctl: what the server in `data` runs with, and `others`.
    func serverOptions(
        _ data: String, _ account: ServerAccount, _ installation: PostgresInstallation, others: [String] = []
    ) -> String {
        let configured = account.run(
            [installation.binaries + "/postgres", "-C", "max_connections", "-D", data], timeout: .seconds(10))
        let options =
            [
                "listen_addresses=", "port=5432", "unix_socket_directories=\"\(socketDirectory)\"",
                "unix_socket_permissions=0700",
            ] + settings.startOptions(connections: Int(configured.lastLine) ?? 0, scripts: root) + others
        return options.map { "-c \(Self.shellQuoted($0))" }.joined(separator: " ")
    }

    /// While the server does not run, its lock files are left over, whoever has their pid now. PostgreSQL itself would
    /// refuse to start over one that is empty, or that names a running process of the same user.
    private func removeLockFiles(_ account: ServerAccount, progress: (String) -> Void) {
        for path in [data + "/postmaster.pid", socketDirectory + "/.s.PGSQL.5432.lock"]
        where access(path, F_OK) == 0 {
            let pid = ServerProcesses.pid(inLockFile: path)
            let isOthers = pid.map { kill($0, 0) == 0 || errno == EPERM } ?? false
            progress(
                "removing \(path), left by a server that was killed"
                    + (isOthers ? "; process \(pid ?? 0), which it names, is another program" : ""))
            _ = account.run(["rm", "-f", path], timeout: .seconds(10))
        }
    }

    private func createDatabase(_ interrupt: PostgresInterrupt) throws(PostgresError) {
        let connection = try PostgresConnection(
            connectionString: connectionString(role: "postgres", database: "postgres"),
            applicationName: "millrace setup", connectTimeout: .seconds(3), interrupt: interrupt)
        if try connection.execute("SELECT 1 FROM pg_roles WHERE rolname = 'millrace'").rowCount == 0 {
            try connection.execute("CREATE ROLE millrace LOGIN; GRANT pg_monitor TO millrace")
        }
        if try connection.execute("SELECT 1 FROM pg_database WHERE datname = 'millrace'").rowCount == 0 {
            try connection.execute("CREATE DATABASE millrace OWNER millrace", timeout: .seconds(60))
        }
        try createStatements(interrupt)
    }

    /// What `millrace status --database` tells slow queries by, where the server has loaded it.
    private func createStatements(_ interrupt: PostgresInterrupt) throws(PostgresError) {
        let connection = try PostgresConnection(
            connectionString: superuserConnectionString, applicationName: "millrace setup",
            connectTimeout: .seconds(3), interrupt: interrupt)
        let isWanted = try connection.execute(
            """
            SELECT
                current_setting('shared_preload_libraries') ~ '\\mpg_stat_statements\\M'
                AND EXISTS (
                    SELECT
                    FROM pg_available_extensions
                    WHERE name = 'pg_stat_statements' AND installed_version IS NULL
                )
            """
        ).bool(0, 0)
        if isWanted == true {
            try connection.execute("CREATE EXTENSION IF NOT EXISTS pg_stat_statements", timeout: .seconds(60))
        }
    }

    // MARK: - Text

    /// pg_ctl hands its options to a shell.
    private static func shellQuoted(_ text: String) -> String {
        "'" + text.replacing("'", with: "'\\''") + "'"
    }

    /// FNV-1a, the same in every run.
    private static func hash(_ text: String) -> UInt64 {
        text.utf8.reduce(0xCBF2_9CE4_8422_2325) { ($0 ^ UInt64($1)) &* 0x100_0000_01B3 }
    }
}

/// Why the private PostgreSQL could not be started or stopped, or that it ended.
package struct EmbeddedClusterError: Error, Sendable, CustomStringConvertible {
    package enum Code: String, Sendable, CaseIterable {
        case binariesMissing = "binaries_missing"
        /// The data was made by another major version than is installed.
        case versionMismatch = "version_mismatch"
        /// PostgreSQL refuses to run as root, and there is no user to run it as.
        case userMissing = "user_missing"
        case directoryUnreachable = "directory_unreachable"
        case initFailed = "init_failed"
        case startFailed = "start_failed"
        case stopFailed = "stop_failed"
        /// A base backup, or a recovery from one.
        case backupFailed = "cluster_backup_failed"
        case recoveryFailed = "cluster_recovery_failed"
        /// It must not run meanwhile.
        case running = "cluster_running"
        /// It ran, and is gone.
        case ended
    }

    package var code: Code
    package var message: String
    package var hint: String

    package var description: String { "\(code.rawValue): \(message). \(hint)" }
}
