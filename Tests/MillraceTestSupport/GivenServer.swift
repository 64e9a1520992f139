internal import FoundationEssentials
internal import MillraceConfiguration
internal import MillracePostgres
internal import MillraceProjections

/// The server of `TEST_DATABASE_URL`, in which the tests make databases of their own and drop them again. Its role may
/// create databases, and need not be a superuser.
struct GivenServer: Sendable {
    /// nil where the variable is not set.
    static let named = ProcessInfo.processInfo.environment["TEST_DATABASE_URL"].flatMap {
        $0.isEmpty ? nil : GivenServer(url: $0)
    }

    private let url: String
    /// Of the names of this process's databases.
    let prefix = "millrace_test_\(ProcessInfo.processInfo.processIdentifier)_"

    private init(url: String) {
        self.url = url
    }

    func connectionString(database: String) -> String {
        let own = ConnectionString(url).libpq
        // Of a keyword that is there twice, libpq takes the last one.
        guard let scheme = own.firstRange(of: "://") else { return own + " dbname=\(database)" }
        let rest = own[scheme.upperBound...]
        let authority = rest.prefix { $0 != "/" && $0 != "?" }
        return own[..<scheme.upperBound] + authority + "/\(database)" + rest.drop { $0 != "?" }
    }

    /// To the database that the variable names.
    func connect() throws(PostgresError) -> PostgresConnection {
        try connect(to: url)
    }

    private func connect(to text: String) throws(PostgresError) -> PostgresConnection {
        try PostgresConnection(
            connectionString: text, applicationName: "test", connectTimeout: .seconds(30),
            interrupt: PostgresInterrupt())
    }

    private func name(_ template: ClusterTemplate.Database) -> String {
        template == .empty ? template.rawValue : prefix + template.rawValue
    }

    func makeDatabase(_ database: String, from template: ClusterTemplate.Database) throws {
        try connect().execute(
            "CREATE DATABASE \(database) TEMPLATE \(name(template)) ENCODING 'UTF8'", timeout: .seconds(120))
    }

    func makeTemplates() throws {
        try makeDatabase(name(.migrated), from: .empty)
        try Migrator(connection: connect(to: connectionString(database: name(.migrated)))).up()
        try makeDatabase(name(.packed), from: .migrated)
        let packs = try PackLoader().load(DaemonConfiguration().projections.packs)
        try PackInstaller(connection: connect(to: connectionString(database: name(.packed)))).install(packs)
    }

    /// A shell command that drops the databases.
    var dropping: String {
        let quoted = "'" + ConnectionString(url).libpq.replacing("'", with: #"'\''"#) + "'"
        return #"""
            psql --no-psqlrc --quiet --dbname=\#(quoted) << 'END'
            SELECT format('DROP DATABASE %I WITH (FORCE)', datname)
            FROM pg_database
            WHERE starts_with(datname, '\#(prefix)')
            \gexec
            END
            """#
    }
}
