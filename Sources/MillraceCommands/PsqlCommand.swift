internal import ArgumentParser
internal import Glibc
internal import MillraceConsole
internal import MillracePostgres

/// `millrace psql`: psql on the configured database.
struct PsqlCommand: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "psql",
        abstract: "Open psql on the database that the configuration names.",
        discussion: """
            The password is handed over in the environment, so nobody sees it in the list of processes. What stands behind -- \
            goes to psql; its exit status is this command's. psql comes with the package postgresql-client.

            Example:
              millrace psql
              millrace psql -- -c 'SELECT event_type, count(*) FROM analytics_events GROUP BY 1'
              millrace psql -- -f report.sql
            """)

    @OptionGroup var options: ConfigurationOptions

    @Argument(parsing: .postTerminator, help: "For psql.")
    var arguments: [String] = []

    func run() throws {
        let context = try options.context()
        let (conninfo, environment) = try ConnectionString(context.connectionString()).forPrograms()
        for (name, value) in environment { setenv(name, value, 1) }
        let words = ["psql", "--dbname", conninfo] + arguments
        var pointers: [UnsafeMutablePointer<CChar>?] = words.map { strdup($0) }
        pointers.append(nil)
        // A reader that goes away ends psql as it would a psql that was started by hand.
        signal(SIGPIPE, SIG_DFL)
        execvp("psql", pointers)
        let code = errno
        throw CommandError(
            "psql can't be started: \(String(cString: strerror(code)))",
            hint: "Install the package postgresql-client, or put psql on PATH")
    }
}
