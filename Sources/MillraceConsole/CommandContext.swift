internal import ArgumentParser
internal import FoundationEssentials
internal import MillraceAPI
internal import MillraceBackup
package import MillraceConfiguration
internal import MillraceDaemon
package import MillraceEvent
internal import MillraceIntake
package import MillracePostgres
package import MillraceProjections
internal import MillraceSpool
package import MillraceTreatment
internal import MillraceWriter

/// Where the configuration comes from; the same for every command.
package struct ConfigurationOptions: ParsableArguments {
    @Option(
        help: "The configuration file. Default: $MILLRACE_CONFIG, else /etc/millrace/config.toml where it exists.",
        completion: .file())
    var config: String?

    @Option(name: .customLong("set"), help: ArgumentHelp("Override one value.", valueName: "section.key=value"))
    var assignments: [String] = []

    @Option(
        help: "The daemon's data directory: the spool, and the database of serve --embedded.", completion: .directory)
    var dataDirectory: String?

    package init() {}

    /// Throws a `ValidationError` where `--set` has another form than section.key=value.
    package func validate() throws {
        // What was written may be a secret.
        guard assignments.allSatisfy({ ConfigurationOverride(assignment: $0) != nil }) else {
            throw ValidationError("--set takes section.key=value, such as --set tcp.listen=127.0.0.1:7171.")
        }
    }

    /// The configuration in force, and where each value came from. Throws `ConfigurationErrors`.
    ///
    /// `isEmbedded`: the database is the daemon's own, whatever URL the environment has for others. `flags`: what other
    /// flags of the command say. `isToListen`: what others would reach without TLS is an error.
    package func load(
        isEmbedded: Bool = false, overrides flags: [ConfigurationOverride] = [], isToListen: Bool = true
    ) throws -> LoadedConfiguration {
        var overrides = assignments.compactMap { ConfigurationOverride(assignment: $0) } + flags
        if isEmbedded {
            let builtIn = DaemonConfiguration().database.url.value
            overrides.append(ConfigurationOverride(key: "database.url", value: builtIn, flag: "--embedded"))
        }
        if let dataDirectory {
            overrides.append(
                ConfigurationOverride(key: "data.directory", value: dataDirectory, flag: "--data-directory"))
        }
        return try ConfigurationLoader.load(
            file: config, environment: ProcessInfo.processInfo.environment, overrides: overrides,
            isToListen: isToListen)
    }

    /// `load()` as what commands ask of it.
    package func context() throws -> CommandContext {
        CommandContext(try load(isToListen: false))
    }
}

/// What commands do with the configuration in force.
package struct CommandContext {
    package let configuration: DaemonConfiguration
    /// Someone set `database.url`.
    private let isDatabaseConfigured: Bool

    package init(_ loaded: LoadedConfiguration) {
        configuration = loaded.configuration
        isDatabaseConfigured = loaded.origin(of: "database.url") != .builtIn
    }

    package var spoolDirectory: String { configuration.spoolDirectory }

    /// `spool.retain`.
    package var spoolRetain: Duration { configuration.spool.retain }

    package var eventLimits: EventLimits { configuration.eventLimits }

    /// Longest line that a daemon with this configuration takes.
    package var lineBytesMax: Int { configuration.limits.lineBytes }

    package var partitionOptions: PartitionOptions { configuration.partitionOptions }

    /// The age from which on rows of the ledger are joined.
    package var ledgerJoinAge: Duration { configuration.ledgerJoinAge }

    package var monthsAhead: Int { configuration.partitions.ahead }

    private var packLoader: PackLoader { PackLoader(directory: configuration.projections.directory) }

    /// What a daemon with this configuration does to lines; nil: nothing. Blocks on the disk. Throws `RulesErrors` and what
    /// is wrong with the fields. `withRules`: whether the rules of `rules.file` are among it.
    package func linePolicy(_ fields: LoadedFields, withRules: Bool = true) throws -> LinePolicy? {
        let file = configuration.rules.file
        return LinePolicy(
            rules: withRules && !file.isEmpty ? try RulesFile(path: file).rules : nil, fields: fields.treatment,
            limits: eventLimits, lineBytesMax: lineBytesMax)
    }

    /// The packs of projections.packs, in their order. Blocks on the disk.
    package func packs() throws(PackErrors) -> [PackDefinition] {
        try packLoader.load(configuration.projections.packs)
    }

    /// One of `projections.packs`; nil: all of them.
    package func packs(named name: String?) throws -> [PackDefinition] {
        guard let name else { return try packs() }
        guard configuration.projections.packs.contains(name) else {
            throw CommandError(
                "projections.packs does not name \(name)",
                hint: "Add it there; known are \(packLoader.names.joined(separator: ", "))")
        }
        return [try packLoader.load(name)]
    }

    /// The events to try a pack with, a line each; nil when it has none. Blocks on the disk.
    package func seed(of pack: String) throws(PackErrors) -> [String]? {
        try packLoader.seed(of: pack)
    }

    /// A session with the database in use; of several hosts not with a primary of before a failover that the daemon knows
    /// of. Blocks up to `timeout` for each host.
    package func connect(timeout: Duration = .seconds(10)) throws -> PostgresConnection {
        try TimelineFile(directory: configuration.spoolDirectory).lookingOnly().connect(connectionString()) {
            (url) throws(PostgresError) in try connect(to: url, timeout: timeout)
        }
    }

    /// A session with another database. Blocks up to `timeout`.
    package func connect(
        to connectionString: String, timeout: Duration = .seconds(10)
    ) throws(PostgresError) -> PostgresConnection {
        try PostgresConnection(
            connectionString: connectionString, applicationName: "millrace command", connectTimeout: timeout,
            interrupt: PostgresInterrupt())
    }

    /// `database.url` where someone set it, else the database of `serve --embedded` under the data directory where
    /// there is one, else the default of `database.url`.
    package func connectionString() throws(CommandError) -> String {
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

    /// For who reads or makes every table: `backup.url` where it is set, else the embedded database's superuser where that is
    /// the database in use, else `database.url`.
    package func backupConnectionString() throws(CommandError) -> String {
        guard configuration.backup.url.isEmpty else { return configuration.backup.url.value }
        let inUse = try connectionString()
        let cluster = configuration.embeddedCluster
        return inUse == cluster.connectionString ? cluster.superuserConnectionString : inUse
    }

    /// The first of `tcp.listen`, as a client reaches it.
    package func tcpListener() throws(CommandError) -> ConfiguredListener {
        try listener(configuration.tcp.listen, "tcp.listen", isTLS: configuration.tcp.tls)
    }

    /// The first of `http.listen`, as a client reaches it.
    package func httpListener() throws(CommandError) -> ConfiguredListener {
        try listener(configuration.http.listen, "http.listen", isTLS: configuration.http.tls)
    }

    private func listener(
        _ listen: [String], _ key: String, isTLS: Bool
    ) throws(CommandError) -> ConfiguredListener {
        guard let first = listen.first, let endpoint = Endpoint(first) else {
            throw CommandError("\(key) names no address that a client could use", hint: "Give one with --to")
        }
        guard case .tcp = endpoint, isTLS else { return ConfiguredListener(endpoint: endpoint) }
        return ConfiguredListener(endpoint: endpoint, certificate: configuration.tls.certificate)
    }
}
