internal import ArgumentParser
internal import MillraceEvent
internal import MillracePostgres

/// Where the configuration comes from; the same for every command.
struct ConfigurationOptions: ParsableArguments {
    @Option(
        help: "The configuration file. Default: $MILLRACE_CONFIG, else /etc/millrace/config.toml where it exists.",
        completion: .file())
    var config: String?

    @Option(name: .customLong("set"), help: ArgumentHelp("Override one value.", valueName: "section.key=value"))
    var overrides: [String] = []

    @Option(
        help: "The daemon's data directory: the spool, and the database of serve --embedded.", completion: .directory)
    var dataDirectory: String?

    /// The configuration in force.
    func context() throws -> CommandContext {
        CommandContext(
            databaseURL: nil, dataDirectory: dataDirectory ?? "/var/lib/millrace",
            spoolDirectory: (dataDirectory ?? "/var/lib/millrace") + "/spool", tcpListen: ["127.0.0.1:7171"],
            httpListen: ["127.0.0.1:8080"], eventLimits: EventLimits(), partitionOptions: PartitionOptions(),
            monthsAhead: 3)
    }
}
