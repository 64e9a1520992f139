internal import FoundationEssentials
internal import MillraceEvent
internal import MillracePostgres
internal import MillraceSpool

/// What a command needs of the configuration in force.
struct CommandContext {
    var databaseURL: String?
    var dataDirectory: String
    var spoolDirectory: String
    var tcpListen: [String]
    var httpListen: [String]
    var eventLimits: EventLimits
    var partitionOptions: PartitionOptions
    var monthsAhead: Int

    /// A session with the database in use. Blocks up to `timeout`.
    func connect(timeout: Duration = .seconds(10)) throws -> PostgresConnection {
        try PostgresConnection(
            connectionString: try connectionString(), applicationName: "millrace command", connectTimeout: timeout,
            interrupt: PostgresInterrupt())
    }

    /// `database.url`, else the database of `serve --embedded` under the data directory, where it runs.
    func connectionString() throws(CommandError) -> String {
        if let databaseURL { return databaseURL }
        let cluster = EmbeddedCluster(directory: dataDirectory)
        guard FileManager.default.fileExists(atPath: cluster.socketDirectory + "/.s.PGSQL.5432") else {
            throw CommandError(
                "there is no database: database.url is not set, and no embedded one runs in \(dataDirectory)",
                hint: "Set DATABASE_URL, or give the --data-directory of a running `millrace serve --embedded`")
        }
        return cluster.connectionString
    }

    /// nil when there is no spool on this host. Reads every header of the spool; blocks on the disk.
    func spoolSnapshot() throws -> SpoolSnapshot? {
        guard FileManager.default.fileExists(atPath: spoolDirectory) else { return nil }
        return try SpoolSnapshot(inspecting: SpoolInspector(directory: spoolDirectory))
    }

    /// The first of `tcp.listen`, as a client reaches it.
    func tcpEndpoint() throws(CommandError) -> Endpoint {
        try Self.endpoint(tcpListen, "tcp.listen", "--to")
    }

    /// The first of `http.listen`, as a client reaches it.
    func httpEndpoint() throws(CommandError) -> Endpoint {
        try Self.endpoint(httpListen, "http.listen", "--set http.listen=…")
    }

    private static func endpoint(_ listen: [String], _ key: String, _ option: String) throws(CommandError) -> Endpoint {
        guard let first = listen.first, let endpoint = Endpoint(first) else {
            throw CommandError(
                "\(key) names no address that a client could use", hint: "Give one with \(option)")
        }
        return endpoint
    }
}
