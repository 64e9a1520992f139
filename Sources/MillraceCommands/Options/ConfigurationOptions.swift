internal import ArgumentParser

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

    /// The first of `tcp.listen`.
    func tcpEndpoint() throws -> Endpoint {
        .tcp(host: "127.0.0.1", port: 7171)
    }
}
