internal import FoundationEssentials
internal import MillraceConfiguration
internal import MillraceDaemon
internal import MillraceEvent
internal import MillracePostgres
internal import MillraceProjections
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

    var eventLimits: EventLimits { configuration.eventLimits }

    /// Longest line that a daemon with this configuration takes.
    var lineBytesMax: Int { configuration.limits.lineBytes }

    var partitionOptions: PartitionOptions { configuration.partitionOptions }

    /// Of the ledger's rows that are joined.
    var ledgerJoinAge: Duration { configuration.ledgerJoinAge }

    var monthsAhead: Int { configuration.partitions.ahead }

    private var packLoader: PackLoader { PackLoader(directory: configuration.projections.directory) }

    /// The packs of projections.packs, in their order. Blocks on the disk.
    func packs() throws(PackErrors) -> [PackDefinition] {
        try packLoader.load(configuration.projections.packs)
    }

    /// One of `projections.packs`; nil: all of them.
    func packs(named name: String?) throws -> [PackDefinition] {
        guard let name else { return try packs() }
        guard configuration.projections.packs.contains(name) else {
            throw CommandError(
                "projections.packs does not name \(name)",
                hint: "Add it there; known are \(packLoader.names.joined(separator: ", "))")
        }
        return [try packLoader.load(name)]
    }

    /// The sessions that a daemon opens at most, by database.
    var sessionUses: [SessionUse] {
        let readURL = configuration.api.readURL
        let usersURL = configuration.identity.url
        let main = configuration.database.url
        let writers = configuration.database.writers
        var writing = SessionUse(
            name: "connections", key: "database.url", url: nil, sessions: configuration.writingSessionsMax,
            parts: "\(writers) \(writers == 1 ? "writer" : "writers"), the ledger, maintenance, the outbox",
            lowering: "database.writers")
        var reading = SessionUse(
            name: "connections for reading", key: "api.read_url", url: readURL.value,
            sessions: configuration.api.connectionsMax, parts: "\(configuration.api.connectionsMax) readers",
            lowering: "api.connections_max",
            withoutIt: "Correct api.read_url, or start that server: until then the routes that read answer 503.")
        let users = SessionUse(
            name: "connections for users", key: "identity.url", url: usersURL.value,
            sessions: DaemonConfiguration.userSessionsMax, parts: "\(DaemonConfiguration.userSessionsMax) for users",
            lowering: "api.connections_max",
            withoutIt: "Correct identity.url, or start that server: until then the dashboard shows ids for e-mails.")
        func add(_ other: SessionUse, to use: inout SessionUse) {
            use.sessions += other.sessions
            use.parts += ", " + other.parts
        }
        if !usersURL.isEmpty, usersURL == readURL { add(users, to: &reading) }
        if readURL.isEmpty || readURL == main {
            add(reading, to: &writing)
            writing.lowering += " or api.connections_max"
        }
        if !usersURL.isEmpty, usersURL == main, usersURL != readURL { add(users, to: &writing) }
        var uses = [writing]
        if !readURL.isEmpty, readURL != main { uses.append(reading) }
        if !usersURL.isEmpty, usersURL != main, usersURL != readURL { uses.append(users) }
        return uses
    }

    /// A session with the database in use. Blocks up to `timeout`.
    func connect(timeout: Duration = .seconds(10)) throws -> PostgresConnection {
        try PostgresConnection(
            connectionString: try connectionString(), applicationName: "millrace command", connectTimeout: timeout,
            interrupt: PostgresInterrupt())
    }

    /// `database.url` where someone set it, else the database of `serve --embedded` under the data directory where
    /// there is one, else the default of `database.url`.
    func connectionString() throws(CommandError) -> String {
        let directory = configuration.data.directory
        guard !isDatabaseConfigured, FileManager.default.fileExists(atPath: directory + "/postgres") else {
            return configuration.database.url.value
        }
        let cluster = EmbeddedCluster(directory: directory)
        guard FileManager.default.fileExists(atPath: cluster.socketDirectory + "/.s.PGSQL.5432") else {
            throw CommandError(
                "the embedded database in \(directory) does not run",
                hint: "Start `millrace serve --embedded --data-directory \(directory)`, or set database.url")
        }
        return cluster.connectionString
    }

    /// nil when there is no spool on this host. Reads every header, and every payload where it `verifiesPayloads`;
    /// blocks on the disk.
    func spoolSnapshot(verifiesPayloads: Bool) throws -> SpoolSnapshot? {
        guard FileManager.default.fileExists(atPath: spoolDirectory) else { return nil }
        return try SpoolSnapshot(
            inspecting: SpoolInspector(directory: spoolDirectory), verifiesPayloads: verifiesPayloads)
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
