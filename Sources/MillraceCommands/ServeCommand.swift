internal import ArgumentParser
internal import FoundationEssentials
internal import Logging
internal import MillraceAPI
internal import MillraceChannels
internal import MillraceConfiguration
internal import MillraceConsole
internal import MillraceDaemon
internal import MillraceEvent
internal import MillraceSpool
internal import MillraceTelemetry
internal import MillraceWriter

/// `millrace serve`: the daemon.
struct ServeCommand: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "serve",
        abstract: "Run the daemon until SIGTERM or SIGINT.",
        discussion: """
            Listens on tcp.listen and http.listen, and writes to database.url, or with --embedded to a private \
            PostgreSQL under the data directory. SIGHUP does what `millrace reload` does.

            \(needs)

            Example:
              millrace serve --config /etc/millrace/config.toml
              millrace serve --embedded --data-directory ~/millrace
            """
    )

    /// What the daemon needs of the machine with the default settings.
    private static var needs: String {
        let settings = DaemonConfiguration()
        let (spool, memory) = (settings.spool, settings.memory)
        return """
            With the defaults it opens up to \(settings.writingSessionsMax + settings.api.connectionsMax) sessions of \
            PostgreSQL (database.writers (\(settings.database.writers)), api.connections_max \
            (\(settings.api.connectionsMax)), and 4), holds up to memory.budget (\(Format.size(memory.budget))) for \
            clients in memory, and writes up to spool.bytes (\(Format.size(spool.bytes))) to the disk of the spool, as \
            long as spool.free_bytes (\(Format.size(spool.freeBytes))) stay free there. `millrace check` says what your \
            own settings come to.
            """
    }

    @OptionGroup var options: ConfigurationOptions

    @Flag(help: "Run a private PostgreSQL under the data directory, reached by a Unix socket only.")
    var embedded = false

    @Flag(
        help: ArgumentHelp(
            "Listen without TLS where others reach it: a proxy on a private network ends it. Keys are wanted all the same.",
            discussion: "The same as auth.plaintext_behind_proxy = true."))
    var insecurePlaintext = false

    func run() async throws {
        let overrides =
            insecurePlaintext
            ? [ConfigurationOverride(key: "auth.plaintext_behind_proxy", value: "true", flag: "--insecure-plaintext")]
            : []
        let loaded = try options.load(isEmbedded: embedded, overrides: overrides)
        let log = loaded.configuration.log
        let environment = ProcessInfo.processInfo.environment
        let settings = LogSettings(level: log.level, format: log.format)
        let writer = LogOutput.bootstrap(settings, bufferBytes: log.bufferBytes, environment: environment)
        defer { writer.flush(within: log.flushLimit) }
        let (options, embedded) = (options, embedded)
        let logger = Logger(label: "millrace")
        let daemon = Daemon(
            configuration: loaded.configuration, isEmbedded: embedded, environment: environment, log: writer,
            logSettings: settings, logger: logger,
            reload: { try options.load(isEmbedded: embedded, overrides: overrides) }
        )
        do {
            try await daemon.run()
        } catch {
            // The last line of the log says why, in the log's own format.
            let status = ExitStatus(error)
            logger.critical("ended", metadata: [.reason: "\(error)", .status: "\(status.rawValue)"])
            throw ExitCode(status.rawValue)
        }
    }
}
