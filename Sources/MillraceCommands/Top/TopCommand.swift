internal import ArgumentParser
internal import FoundationEssentials
internal import MillraceConsole

/// `millrace top`: the daemon at a glance, live.
struct TopCommand: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "top",
        abstract: "Watch the running daemon: rates, latencies, spool, writers, refusals, who sends.",
        discussion: """
            A screen of 80 by 24 or more, new every live.interval; q or Ctrl-C ends it. Where standard output is no \
            terminal, or TERM is dumb, a plain report instead for each tick. Latencies are of the last interval, a dash \
            where nothing passed. When the connection ends it comes back by itself.

            Exit status: 0 done, 1 failed, 2 wrong usage.

            Example:
              millrace top
              millrace top --limit 1
            """
    )

    @OptionGroup var options: ConfigurationOptions

    @OptionGroup var connection: ConnectionOptions

    @Option(help: "Where the daemon listens: host:port or unix:/path. Default: the first of http.listen.")
    var to: Endpoint?

    @Option(help: ArgumentHelp("End after so many ticks.", valueName: "count"))
    var limit: Int?

    @Flag(help: "Each tick as JSON in one line, as /v1/live sends it.")
    var json = false

    func validate() throws {
        if let limit, limit < 1 { throw ValidationError("--limit is at least 1.") }
    }

    func run() throws {
        let destination = try connection.destination(to, or: options.context().httpListener())
        let isDrawn = !json && TerminalScreen.isDrawable(ProcessInfo.processInfo.environment["TERM"])
        let screen = isDrawn ? TerminalScreen() : nil
        var session = EventStreamSession(destination, path: "/v1/live", input: screen?.input ?? -1)
        var view = TopView(source: "\(destination)", isJSON: json, limit: limit)
        try session.run { (step) throws(CommandError) in
            let shown = view.take(step, size: screen?.size)
            switch shown {
            case .nothing: break
            case .screen(let lines): screen?.draw(lines)
            case .report(let text): Console.out(text)
            case .note(let text): Console.error("millrace: \(text)")
            }
            return !view.isDone && screen?.isToEnd != true && !Console.isOutputGone
        }
    }
}
