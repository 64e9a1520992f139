import MillraceTestSupport
import Testing

extension EndToEnd {
    struct PsqlTests {
        private func psql(
            _ installation: Installation, options: [String] = [], _ arguments: String...
        ) throws -> CommandRun {
            let scratch = try ScratchDirectory()
            let command = ["psql", "--config", installation.daemon.configuration] + options + ["--"] + arguments
            return try CommandRun(command, in: scratch, within: .seconds(60))
        }

        @Test func `psql gets the configured database, what stands behind --, and its exit status is the command's`()
            throws
        {
            let installation = try Installation()
            let name = installation.database.name
            let asked = try psql(installation, "-XAtc", "SELECT current_database()")
            #expect(asked.isSuccess && asked.output == "\(name)\n", "\(asked.output) \(asked.errors)")
            let failed = try psql(installation, "-XAtc", "SELECT 1/0", "-v", "ON_ERROR_STOP=1")
            #expect(failed.exit == .status(1))
            #expect(failed.errors.contains("division by zero"))
            let script = try ScratchDirectory()
            try TextFile.write("SELECT 'a' || 'b';\n\\quit 3\n", to: script.path + "/report.sql")
            let quit = try psql(installation, "-XAtf", script.path + "/report.sql")
            #expect(quit.output == "ab\n")
        }

        @Test func `the password reaches psql by its environment, and no command line`() throws {
            let installation = try Installation()
            let url = installation.database.connectionString + " password=hidden-and-unused"
            let shown = try psql(
                installation, options: ["--set", "database.url=\(url)"], "-XAtc",
                "\\! xargs -0 < /proc/$PPID/cmdline; printenv PGPASSWORD")
            #expect(shown.isSuccess, "\(shown.errors)")
            let lines = shown.output.split(separator: "\n")
            #expect(lines.last == "hidden-and-unused", "\(shown.output)")
            #expect(lines.dropLast().allSatisfy { !$0.contains("hidden") }, "\(shown.output)")
            #expect(shown.output.contains("dbname"), "\(shown.output)")
        }

        @Test func `without psql the error says what to install`() throws {
            let run = try Installation().daemon.run(["psql"], environment: ["PATH": "/nowhere"])
            #expect(run.exit == .status(1))
            #expect(run.errors.contains("postgresql-client"), "\(run.errors)")
        }
    }
}
