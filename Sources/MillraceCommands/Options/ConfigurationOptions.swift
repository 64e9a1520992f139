internal import ArgumentParser
internal import FoundationEssentials
internal import MillraceConfiguration

/// Where the configuration comes from; the same for every command.
struct ConfigurationOptions: ParsableArguments {
    @Option(
        help: "The configuration file. Default: $MILLRACE_CONFIG, else /etc/millrace/config.toml where it exists.",
        completion: .file())
    var config: String?

    @Option(name: .customLong("set"), help: ArgumentHelp("Override one value.", valueName: "section.key=value"))
    var assignments: [String] = []

    @Option(
        help: "The daemon's data directory: the spool, and the database of serve --embedded.", completion: .directory)
    var dataDirectory: String?

    func validate() throws {
        // What was written may be a secret.
        guard assignments.allSatisfy({ ConfigurationOverride(assignment: $0) != nil }) else {
            throw ValidationError("--set takes section.key=value, such as --set tcp.listen=127.0.0.1:7171.")
        }
    }

    /// The configuration in force, and where each value came from. Throws `ConfigurationErrors`.
    func load() throws -> LoadedConfiguration {
        var overrides = assignments.compactMap { ConfigurationOverride(assignment: $0) }
        if let dataDirectory {
            overrides.append(
                ConfigurationOverride(key: "data.directory", value: dataDirectory, flag: "--data-directory"))
        }
        return try ConfigurationLoader.load(
            file: config, environment: ProcessInfo.processInfo.environment, overrides: overrides)
    }

    func context() throws -> CommandContext {
        CommandContext(try load())
    }
}
