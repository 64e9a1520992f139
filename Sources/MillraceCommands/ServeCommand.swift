internal import ArgumentParser
internal import FoundationEssentials
internal import Logging
internal import MillraceConfiguration
internal import MillraceDaemon
internal import MillraceTelemetry

/// `millrace serve`: the daemon.
struct ServeCommand: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "serve",
        abstract: "Run the daemon until SIGTERM or SIGINT.",
        discussion: """
            Listens on tcp.listen and http.listen, and writes to database.url, or with --embedded to a private \
            PostgreSQL under the data directory. SIGHUP reads the token keys again.

            Example:
              millrace serve --config /etc/millrace/config.toml
              millrace serve --embedded --data-directory ~/millrace
            """
    )

    @OptionGroup var options: ConfigurationOptions

    @Flag(help: "Run a private PostgreSQL under the data directory, reached by a Unix socket only.")
    var embedded = false

    func run() async throws {
        let loaded = try options.load()
        let log = loaded.configuration.log
        let environment = ProcessInfo.processInfo.environment
        LogOutput.bootstrap(
            level: Logger.Level(rawValue: log.level.rawValue) ?? .info,
            format: LogFormat(rawValue: log.format.rawValue) ?? .text, environment: environment)
        let options = options
        let logger = Logger(label: "millrace")
        let daemon = Daemon(
            configuration: loaded.configuration, isEmbedded: embedded, environment: environment, logger: logger,
            reload: { try options.load().configuration }
        )
        do {
            try await daemon.run()
        } catch {
            // The last line of the log says why, in the log's own format.
            let status = ExitStatus(error)
            logger.critical("ended", metadata: ["reason": "\(error)", "status": "\(status.rawValue)"])
            throw ExitCode(status.rawValue)
        }
    }
}
