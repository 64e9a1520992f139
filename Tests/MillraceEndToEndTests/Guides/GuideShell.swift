import Glibc
import MillraceTestSupport

/// A daemon on a database of its own, and a shell in which the blocks of a page run against it as a reader would type
/// them: the default addresses and directories are replaced by its own.
final class GuideShell {
    private let scratch: ScratchDirectory
    private let daemon: DaemonProcess
    private let environment: [String: String]
    private var work: String { scratch.path + "/desk" }
    private var socket: String { scratch.path + "/data/postgres/socket" }

    /// `database`: nil for a private PostgreSQL, as `make run` starts it.
    init(on database: TestDatabase?) throws {
        scratch = try ScratchDirectory()
        let root = scratch.path
        daemon = try DaemonProcess(
            databaseURL: database?.connectionString,
            settings: [
                "data.directory": DaemonSettings.quoted(root + "/data"), "spool.directory": "\"\"",
                "projections.packs":
                    #"["analytics", "conversations", "workspaces", "commerce", "casework", "product"]"#,
            ],
            arguments: database == nil ? ["--embedded"] : [], scratch: scratch)
        let databaseURL =
            database?.connectionString ?? "host=\(root)/data/postgres/socket user=millrace dbname=millrace"
        for directory in ["/bin", "/desk"] { mkdir(root + directory, 0o755) }
        symlink(Repository.root + "/sql", root + "/desk/sql")
        symlink(try MillraceBinary.path, root + "/bin/millrace")
        try TextFile.write("silent\nshow-error\nfail-with-body\n", to: root + "/.curlrc")
        environment = [
            "DATABASE": databaseURL, "HOME": root, "MILLRACE_CONFIG": daemon.configuration,
            "PATH": "\(root)/bin:\(Environment.string("PATH") ?? "/usr/bin:/bin")",
        ]
        if database != nil { _ = try run("millrace migrate up\n") }
        try daemon.start(within: .seconds(120))
        try daemon.waitUntil("/readyz")
        _ = try run("millrace partitions ensure\n")
    }

    func stop() throws {
        try daemon.stop()
    }

    /// What the block prints. Throws when it fails, or when PostgreSQL does not get the lines sent before.
    func run(_ block: GuidePage.Block) throws -> String {
        try waitForWriters()
        switch block.language {
        case .sh: return try run(own(block.text))
        case .sql:
            try TextFile.write(block.text, to: work + "/block.sql")
            return try run("psql -X -v ON_ERROR_STOP=1 \"$DATABASE\" -f block.sql\n")
        }
    }

    private func own(_ text: String) -> String {
        text.replacing("127.0.0.1:8080", with: "\(daemon.http)")
            .replacing("127.0.0.1 7171", with: "\(daemon.tcp)".replacing(":", with: " "))
            .replacing("/var/lib/millrace/postgres/socket", with: socket)
            .replacing(".build/release/millrace", with: "millrace")
    }

    private func run(_ script: String) throws -> String {
        let name = "\(scratch.path)/block-\(UInt64.random(in: 0 ... .max))"
        try TextFile.write("cd \(work)\n" + script, to: name + ".sh")
        let process = try SpawnedProcess(
            "/usr/bin/env", ["bash", "-eu", "-o", "pipefail", name + ".sh"], environment: environment, mark: name,
            output: name + ".out", errors: name + ".out")
        let exit = try process.waitForExit(within: .seconds(120))
        let output = TextFile.read(name + ".out")
        guard exit == .status(0) else { throw TestSupportError(message: "\(exit):\n\(script)\n\(output)") }
        return output
    }

    /// Waits until what the blocks before have sent is in the tables.
    private func waitForWriters() throws {
        let isWritten = try eventually {
            let metrics = try HTTPClient.get("/metrics", at: daemon.http).text
            return metrics.split(separator: "\n").allSatisfy {
                !$0.hasPrefix("millrace_spool_uncommitted_lines{") || $0.hasSuffix(" 0")
            }
        }
        guard isWritten else { throw TestSupportError(message: "lines are not written:\n\(daemon.log.suffix(3000))") }
    }
}
