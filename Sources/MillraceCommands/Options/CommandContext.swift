internal import FoundationEssentials
internal import MillraceConfiguration
internal import MillraceEvent
internal import MillracePostgres
internal import MillraceSpool

/// What commands do with the configuration in force.
struct CommandContext {
    private let configuration: DaemonConfiguration
    /// Someone set `database.url`.
    private let isDatabaseConfigured: Bool

    init(_ loaded: LoadedConfiguration) {
        configuration = loaded.configuration
        isDatabaseConfigured = loaded.origin(of: "database.url") != .builtIn
    }

    var spoolDirectory: String { configuration.spoolDirectory }

    var eventLimits: EventLimits {
        EventLimits(
            payloadBytesMax: configuration.limits.payloadBytes, depthMax: configuration.limits.depth,
            acceptPast: configuration.partitions.acceptPast, acceptFuture: configuration.partitions.acceptFuture)
    }

    var partitionOptions: PartitionOptions {
        PartitionOptions(
            payloadIndex: PayloadIndexPolicy(rawValue: configuration.partitions.payloadIndex.rawValue) ?? .live,
            ginPendingListKiB: configuration.partitions.ginPendingListBytes / 1024,
            lockTimeout: configuration.database.lockTimeout)
    }

    var monthsAhead: Int { configuration.partitions.ahead }

    /// Connections that a daemon takes: its writers, the ledger's session, and one for maintenance.
    var connectionsNeeded: Int { configuration.database.writers + 2 }

    /// A session with the database in use. Blocks up to `timeout`.
    func connect(timeout: Duration = .seconds(10)) throws -> PostgresConnection {
        try PostgresConnection(
            connectionString: connectionString(), applicationName: "millrace command", connectTimeout: timeout,
            interrupt: PostgresInterrupt())
    }

    /// `database.url` where someone set it, else the database of `serve --embedded` under the data directory where it
    /// runs, else the default of `database.url`.
    func connectionString() -> String {
        let cluster = EmbeddedCluster(directory: configuration.data.directory)
        let isEmbedded = FileManager.default.fileExists(atPath: cluster.socketDirectory + "/.s.PGSQL.5432")
        return isEmbedded && !isDatabaseConfigured ? cluster.connectionString : configuration.database.url.value
    }

    /// nil when there is no spool on this host. Reads every header of the spool; blocks on the disk.
    func spoolSnapshot() throws -> SpoolSnapshot? {
        guard FileManager.default.fileExists(atPath: spoolDirectory) else { return nil }
        return try SpoolSnapshot(inspecting: SpoolInspector(directory: spoolDirectory))
    }

    /// The first of `tcp.listen`, as a client reaches it.
    func tcpEndpoint() throws(CommandError) -> Endpoint {
        try Self.endpoint(configuration.tcp.listen, "tcp.listen", "--to")
    }

    /// The first of `http.listen`, as a client reaches it.
    func httpEndpoint() throws(CommandError) -> Endpoint {
        try Self.endpoint(configuration.http.listen, "http.listen", "--set http.listen=…")
    }

    private static func endpoint(_ listen: [String], _ key: String, _ option: String) throws(CommandError) -> Endpoint {
        guard let first = listen.first, let endpoint = Endpoint(first) else {
            throw CommandError(
                "\(key) names no address that a client could use", hint: "Give one with \(option)")
        }
        return endpoint
    }
}
