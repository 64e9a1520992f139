internal import ArgumentParser
internal import MillraceConsole
internal import MillraceEvent

/// `millrace tail`: events as they are committed.
struct TailCommand: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "tail",
        abstract: "Follow events as they are committed.",
        discussion: """
            Shows what the daemon's writers commit from now on, until it is ended by Ctrl-C or --limit; with --since the \
            latest events before, too. When the connection ends it comes back by itself, and goes on where it was. Who \
            reads too slowly misses events, and is told how many. Conversation saves are not among them.

            Exit status: 0 done, 1 failed, 2 wrong usage.

            Example:
              millrace tail --type page.viewed
              millrace tail --payload '{"plan": "pro"}' --since 10m --json
            """
    )

    @OptionGroup var options: ConfigurationOptions

    @OptionGroup var connection: ConnectionOptions

    @Option(help: "Where the daemon listens: host:port or unix:/path. Default: the first of http.listen.")
    var to: Endpoint?

    @Option(help: "Only of this event_type.")
    var type: String?

    @Option(help: ArgumentHelp("Only of this user.", valueName: "uuid"))
    var user: String?

    @Option(help: ArgumentHelp("Only whose payload contains this JSON object.", valueName: "object"))
    var payload: String?

    @Option(
        help: ArgumentHelp(
            "Begin with the latest events since then: 10m, 2h, or a time such as 2026-11-30T17:00:00Z.",
            valueName: "time"))
    var since: TailStart?

    @Option(help: ArgumentHelp("End after so many events.", valueName: "count"))
    var limit: Int?

    @Flag(help: "One event a line as JSON, as GET /v1/events shows it.")
    var json = false

    func validate() throws {
        if let limit, limit < 1 { throw ValidationError("--limit is at least 1.") }
        if let user, UniqueID(user) == nil {
            throw ValidationError(
                user.contains("@")
                    ? "--user is a UUID; this is an e-mail, and users are known by their UUID."
                    : "--user is a UUID, such as 843d440a-a7a7-45ee-96df-3568c37384b9.")
        }
    }

    func run() throws {
        let destination = try connection.destination(to, or: options.context().httpListener())
        let path = QueryText.path(
            "/v1/tail",
            [("type", type), ("user_id", user), ("payload", payload), ("since", since?.text(at: .now))])
        var follower = TailFollower(isJSON: json, limit: limit)
        var session = EventStreamSession(destination, path: path)
        try session.run { (step) throws(CommandError) in
            for line in follower.take(step) {
                switch line {
                case .event(let text): Console.out(text)
                case .note(let text): Console.error("millrace: \(text)")
                }
            }
            return !follower.isDone && !Console.isOutputGone
        }
    }
}

/// Where `--since` begins.
enum TailStart: Equatable, ExpressibleByArgument {
    /// So long ago.
    case ago(Age)
    /// As the daemon reads times.
    case time(String)

    init?(argument: String) {
        guard !argument.isEmpty else { return nil }
        self = Age(argument: argument).map { .ago($0) } ?? .time(argument)
    }

    /// For the daemon.
    func text(at now: Timestamp) -> String {
        switch self {
        case .ago(let age): now.advanced(by: .zero - .seconds(age.seconds)).rfc3339
        case .time(let text): text
        }
    }
}
