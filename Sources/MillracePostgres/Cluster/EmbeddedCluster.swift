internal import FoundationEssentials
internal import Glibc

/// A PostgreSQL of Millrace's own, under `DIR/postgres`, reached by a Unix socket only. Every function blocks.
///
///     DIR/postgres/data      the cluster; settings in postgresql.conf, where an operator may change them
///     DIR/postgres/socket    mode 0700: who may enter may connect, no password
///     DIR/postgres/log       the server's log, a file for each day of the week
///
/// It outlives a daemon that is killed: the next `start` finds it running and uses it.
package struct EmbeddedCluster: Sendable {
    /// Absolute.
    package let directory: String
    private let settings: EmbeddedClusterSettings

    /// - Parameter directory: the daemon's data directory; must exist.
    package init(directory: String, settings: EmbeddedClusterSettings = EmbeddedClusterSettings()) {
        self.directory =
            directory.hasPrefix("/") ? directory : FileManager.default.currentDirectoryPath + "/" + directory
        self.settings = settings
    }

    private var root: String { directory + "/postgres" }
    private var data: String { root + "/data" }
    /// Where the server says why.
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
        return "host='\(host)' port=5432 user=\(role) dbname=\(database)"
    }

    /// Makes the cluster if there is none, starts it unless it runs, makes the database `millrace` if there is none.
    ///
    /// - Parameters:
    ///   - timeout: for the server to accept connections; a start after a crash replays its log first.
    ///   - progress: told what goes on, before each step that takes a while.
    package func start(
        timeout: Duration = .seconds(120),
        interrupt: PostgresInterrupt = PostgresInterrupt(),
        progress: (String) -> Void = { _ in }
    ) throws(EmbeddedClusterError) {
        let account = try ServerAccount.current()
        let installation = try PostgresInstallation.find(major: dataMajor())
        try prepareDirectories(account)
        if dataMajor() == nil {
            progress("creating a private PostgreSQL \(installation.major) cluster in \(root)")
            try initialize(account, installation)
        }
        let deadline = Deadline(after: timeout)
        var launches = 0
        while true {
            if !isRunning(account, installation) {
                if launches == 0 { progress("starting PostgreSQL \(installation.major)") }
                launches += 1
                do throws(EmbeddedClusterError) {
                    try launch(account, installation, timeout: timeout)
                } catch {
                    // The processes of a server that was killed take a moment to go.
                    guard launches < 5, !deadline.isOver else { throw error }
                    usleep(300_000)
                    continue
                }
            }
            do throws(PostgresError) {
                try createDatabase(interrupt)
                return
            } catch {
                // It may still recover, or still shut down after the last daemon's stop.
                guard error.code == .connectionFailed, !deadline.isOver else {
                    throw EmbeddedClusterError(
                        code: .startFailed, message: "PostgreSQL runs but does not answer: \(error.message)",
                        hint: "Read the server's log in \(logDirectory).")
                }
                usleep(50_000)
            }
        }
    }

    /// Disconnects every client and stops. Nothing to do when it does not run.
    package func stop(mode: ShutdownMode = .fast, timeout: Duration = .seconds(60)) throws(EmbeddedClusterError) {
        guard let major = dataMajor() else { return }
        let account = try ServerAccount.current()
        let installation = try PostgresInstallation.find(major: major)
        guard isRunning(account, installation) else { return }
        let output = account.run(
            [
                installation.binaries + "/pg_ctl", "stop", "--pgdata", data, "--mode", mode.rawValue, "--wait",
                "--timeout", String(max(1, timeout.components.seconds)),
            ], timeout: timeout + .seconds(10))
        guard output.status == 0 || !isRunning(account, installation) else {
            throw EmbeddedClusterError(
                code: .stopFailed, message: "PostgreSQL does not stop: \(output.lastLine)",
                hint: "It goes on stopping by itself; read its log in \(logDirectory).")
        }
    }

    /// Of `pg_ctl stop`.
    package enum ShutdownMode: String, Sendable {
        /// Rolls back what is open, writes everything out.
        case fast
        /// As a crash: the next start recovers.
        case immediate
    }

    /// Whether the server's process is there, as its pid file says. Cheap: reads one small file.
    package var isAlive: Bool {
        guard let text = FileManager.default.contents(atPath: data + "/postmaster.pid"),
            let first = String(decoding: text, as: UTF8.self).split(separator: "\n").first,
            let pid = pid_t(first), pid > 0
        else { return false }
        // EPERM: it is there, and another user's.
        return kill(pid, 0) == 0 || errno == EPERM
    }

    /// What to throw once it is not.
    package var ended: EmbeddedClusterError {
        EmbeddedClusterError(
            code: .ended, message: "the embedded PostgreSQL in \(root) has ended",
            hint: "Read the server's log in \(logDirectory); the next start starts it again.")
    }

    // MARK: - Steps

    /// The major version that made the data; nil when there is none.
    private func dataMajor() -> Int? {
        guard let text = FileManager.default.contents(atPath: data + "/PG_VERSION") else { return nil }
        return Int(String(decoding: text, as: UTF8.self).prefix { $0.isNumber })
    }

    private func prepareDirectories(_ account: ServerAccount) throws(EmbeddedClusterError) {
        try account.makeDirectory(root)
        try account.checkReach(root)
        try account.makeDirectory(logDirectory)
        try account.makeDirectory(socketDirectory)
    }

    /// Under another name first: what an interruption leaves is never taken for a cluster.
    private func initialize(
        _ account: ServerAccount, _ installation: PostgresInstallation
    ) throws(EmbeddedClusterError) {
        let fresh = data + ".new"
        _ = account.run(["rm", "-rf", fresh], timeout: .seconds(60))
        var command = [
            installation.binaries + "/initdb", "--pgdata", fresh, "--username", "postgres", "--encoding", "UTF8",
            "--locale", "C.UTF-8", "--auth-local", "trust", "--auth-host", "reject", "--data-checksums",
        ]
        if !settings.isDurable { command.append("--no-sync") }
        let output = account.run(command, timeout: .seconds(300))
        guard output.status == 0 else {
            throw EmbeddedClusterError(
                code: .initFailed, message: "initdb failed: \(output.lastLine)",
                hint: "See that \(root) is on a disk with room, and that the locale C.UTF-8 is there (locale -a).")
        }
        // As the server's user: root must not write where someone else could have put a link.
        let append = account.run(
            [
                "sh", "-c", "printf '%s' \"$1\" >> \"$2\"", "sh", settings.text(log: logDirectory),
                fresh + "/postgresql.conf",
            ],
            timeout: .seconds(10))
        guard append.status == 0, rename(fresh, data) == 0 else {
            throw EmbeddedClusterError(
                code: .initFailed, message: "the new cluster could not be put in place: \(append.lastLine)",
                hint: "See that \(root) is on a disk with room.")
        }
    }

    private func isRunning(_ account: ServerAccount, _ installation: PostgresInstallation) -> Bool {
        account.run([installation.binaries + "/pg_ctl", "status", "--pgdata", data], timeout: .seconds(30)).status == 0
    }

    private func launch(
        _ account: ServerAccount, _ installation: PostgresInstallation, timeout: Duration
    ) throws(EmbeddedClusterError) {
        let options = [
            "listen_addresses=", "port=5432", "unix_socket_directories=\"\(socketDirectory)\"",
            "unix_socket_permissions=0700",
        ]
        let output = account.run(
            [
                installation.binaries + "/pg_ctl", "start", "--pgdata", data, "--wait", "--silent",
                "--timeout", String(max(1, timeout.components.seconds)), "--log", logDirectory + "/start.log",
                "--options", options.map { "-c \(Self.shellQuoted($0))" }.joined(separator: " "),
            ], timeout: timeout + .seconds(10))
        guard output.status == 0 || isRunning(account, installation) else {
            throw EmbeddedClusterError(
                code: .startFailed, message: "PostgreSQL did not start: \(output.lastLine)",
                hint: "Read the server's log in \(logDirectory).")
        }
    }

    private func createDatabase(_ interrupt: PostgresInterrupt) throws(PostgresError) {
        let connection = try PostgresConnection(
            connectionString: connectionString(role: "postgres", database: "postgres"),
            applicationName: "millrace setup", connectTimeout: .seconds(5), interrupt: interrupt)
        if try connection.execute("SELECT 1 FROM pg_roles WHERE rolname = 'millrace'").rowCount == 0 {
            try connection.execute("CREATE ROLE millrace LOGIN; GRANT pg_monitor TO millrace")
        }
        if try connection.execute("SELECT 1 FROM pg_database WHERE datname = 'millrace'").rowCount == 0 {
            try connection.execute("CREATE DATABASE millrace OWNER millrace", timeout: .seconds(60))
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
