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

    /// `directory`: of the backups, where it is not to be a common one.
    init(_ name: String = #function, directory: String? = nil, settings: [String: String] = [:]) throws {
        scratch = try ScratchDirectory()
        var all = [
            "backup.directory": DaemonSettings.quoted(directory ?? scratch.path + "/backups"),
            "database.retry_max": "\"500ms\"",
        ]
        all.merge(settings) { $1 }
        installation = try Installation(name, cluster: .own, settings: all)
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
        let superuser = try TestCluster.own.superuser()
        let name = installation.database.name
        try superuser.execute("DROP DATABASE \(name) WITH (FORCE)", timeout: .seconds(60))
        try superuser.execute("CREATE DATABASE \(name) OWNER millrace", timeout: .seconds(60))
    }

    /// Waits until a session of `program` waits for a lock.
    func waitForBlocked(_ program: String) throws {
        let superuser = try TestCluster.own.superuser()
        let isBlocked = try eventually(within: .seconds(60)) {
            try superuser.execute(
                """
                SELECT EXISTS (
                    SELECT FROM pg_stat_activity
                    WHERE datname = '\(installation.database.name)' AND application_name = '\(program)'
                        AND wait_event_type = 'Lock'
                )
                """
            ).bool(0, 0) == true
        }
        guard isBlocked else { throw TestSupportError(message: "no session of \(program) waits for a lock") }
    }

    /// Sessions of `program`.
    func sessions(_ program: String) throws -> Int {
        try TestCluster.own.superuser().execute(
            """
            SELECT count(*)
            FROM pg_stat_activity
            WHERE datname = '\(installation.database.name)' AND application_name = '\(program)'
            """
        ).count(0, 0)
    }
}
