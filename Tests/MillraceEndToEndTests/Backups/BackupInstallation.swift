import FoundationEssentials
import Glibc
import MillracePostgres
import MillraceTestSupport

/// A daemon whose backups are in a folder of its own.
struct BackupInstallation {
    let installation: Installation
    let scratch: ScratchDirectory

    var daemon: DaemonProcess { installation.daemon }
    var auditor: Auditor { installation.auditor }
    var directory: String { scratch.path + "/backups" }

    /// `directory`: of the backups, where it is not to be a common one. `password`: one that the server does not ask for.
    init(
        _ name: String = #function, cluster: TestCluster? = nil, directory: String? = nil,
        settings: [String: String] = [:], password: String? = nil
    ) throws {
        scratch = try ScratchDirectory()
        var all = [
            "backup.directory": DaemonSettings.quoted(directory ?? scratch.path + "/backups"),
            "database.retry_max": "\"500ms\"",
        ]
        all.merge(settings) { $1 }
        installation = try Installation(name, cluster: cluster ?? .own, settings: all) { database in
            database.connectionString + (password.map { " password=\($0)" } ?? "")
        }
    }

    /// Makes a backup; returns its name.
    func backUp(_ arguments: String...) throws -> String {
        let run = try daemon.run(["backup", "--json", "--quiet"] + arguments)
        guard run.isSuccess else { throw TestSupportError(message: "no backup: \(run.errors)") }
        return try run.report(Report.self).name
    }

    struct Report: Decodable {
        var name: String
    }

    func restore(_ arguments: String...) throws -> CommandRun {
        try daemon.run(["restore", "--json", "--quiet"] + arguments)
    }

    /// Whole ones.
    var names: [String] {
        get throws { try daemon.run("backup", "list", "--json").report(List.self).backups.map(\.name) }
    }

    struct List: Decodable {
        struct Entry: Decodable {
            var name: String
            var problem: String?
        }

        var backups: [Entry]
    }

    /// What is in the folder.
    var entries: [String] { ((try? FileManager.default.contentsOfDirectory(atPath: directory)) ?? []).sorted() }

    /// The database goes with all that is in it, and comes back empty.
    func emptyDatabase() throws {
        let superuser = try installation.cluster.superuser()
        let name = installation.database.name
        try superuser.execute("DROP DATABASE \(name) WITH (FORCE)", timeout: .seconds(60))
        try superuser.execute("CREATE DATABASE \(name) OWNER millrace", timeout: .seconds(60))
    }

    /// A command that goes on while this returns.
    func spawn(_ arguments: String...) throws -> SpawnedProcess {
        try SpawnedProcess(
            MillraceBinary.path, arguments + ["--config", daemon.configuration], mark: daemon.configuration,
            output: scratch.path + "/out", errors: scratch.path + "/err")
    }

    /// What `spawn`'s commands have said.
    var said: String { TextFile.read(scratch.path + "/out") + TextFile.read(scratch.path + "/err") }

    /// Tables in which a text stands, and files of the spool.
    func places(of text: String) throws -> [String] {
        let tables = try auditor.strings(
            """
            SELECT c.oid::regclass::text
            FROM pg_class AS c
            JOIN pg_namespace AS n ON n.oid = c.relnamespace
            WHERE c.relkind = 'r' AND (nspname = 'public' OR starts_with(nspname::text, 'projections'))
            """)
        let connection = try installation.database.connect()
        var found = try tables.filter { table in
            try connection.execute("SELECT EXISTS (SELECT FROM \(table) AS t WHERE t::text ~* '\(text)')").bool(0, 0)
                == true
        }
        let spool = daemon.directory + "/spool"
        for name in try FileManager.default.subpathsOfDirectory(atPath: spool) {
            let bytes = FileManager.default.contents(atPath: "\(spool)/\(name)") ?? Data()
            if String(decoding: bytes, as: UTF8.self).lowercased().contains(text) { found.append(name) }
        }
        return found
    }

    /// Waits until a session of `program` waits for a lock.
    func waitForBlocked(_ program: String) throws {
        let superuser = try installation.cluster.superuser()
        let isBlocked = try eventually(within: .seconds(60)) {
            try superuser.execute(BlockedSessions.count(of: program, in: "'\(installation.database.name)'"))
                .count(0, 0) > 0
        }
        guard isBlocked else { throw TestSupportError(message: "no session of \(program) waits for a lock") }
    }

    /// Sessions of `program`.
    func sessions(_ program: String) throws -> Int {
        try installation.cluster.superuser().execute(
            """
            SELECT count(*)
            FROM pg_stat_activity
            WHERE datname = '\(installation.database.name)' AND application_name = '\(program)'
            """
        ).count(0, 0)
    }
}
