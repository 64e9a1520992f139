internal import ArgumentParser
internal import FoundationEssentials
internal import MillraceConsole
internal import MillraceTelemetry

/// `millrace latency`: the running daemon's histograms.
struct LatencyCommand: ParsableCommand {
    private struct Refusal: Decodable {
        struct Problem: Decodable {
            var message: String
        }
        var error: Problem
    }

    static let configuration = CommandConfiguration(
        commandName: "latency",
        abstract: "How long events take, stage by stage: percentiles of the running daemon.",
        discussion: """
            Since the daemon's start, or with --interval of the time that begins now. Times are weighted by events: a \
            batch of 1000 rows counts 1000 times. Formats: text, a table in milliseconds; json, the same in \
            microseconds; hgrm, one stage for HdrHistogram's plotter (received_to_committed, or --stage); hlog, a V2 log \
            that every HdrHistogram implementation reads.

            Example:
              millrace latency
              millrace latency --stage commit --interval 30s
              millrace latency --format hgrm --stage received_to_durable > durable.hgrm
            """
    )

    @OptionGroup var options: ConfigurationOptions

    @OptionGroup var connection: ConnectionOptions

    @Option(help: "Where the daemon listens: host:port or unix:/path. Default: the first of http.listen.")
    var to: Endpoint?

    @Option(help: "text, json, hgrm or hlog.")
    var format = LatencyFormat.text

    @Option(help: "One stage only, as the table names it.")
    var stage: String?

    @Option(help: ArgumentHelp("Watch for so long, instead of since the start: 1s to 5m.", valueName: "duration"))
    var interval: Age?

    func validate() throws {
        if let interval, !(1...300).contains(interval.seconds) {
            throw ValidationError("--interval is from 1s to 5m.")
        }
    }

    func run() throws {
        var path = "/debug/latency?format=\(format.rawValue)"
        if let stage { path += "&stage=\(QueryText.escaped(stage))" }
        if let interval { path += "&seconds=\(interval.seconds)" }
        let destination = try connection.destination(to, or: options.context().httpListener())
        let answer = try HTTPProbe.get(
            path, from: destination, timeout: .seconds(10 + (interval?.seconds ?? 0)), bytesMax: 64 << 20)
        guard answer.status == 200 else {
            let refusal = try? JSONDecoder().decode(Refusal.self, from: Data(answer.body.utf8))
            throw CommandError(
                "\(destination) answered \(answer.status): \(refusal?.error.message ?? "no reason given")",
                hint: answer.status == 401
                    ? "Show a key by --key-file or MILLRACE_KEY"
                    : "See `millrace latency --help`, and that the daemon is of this version")
        }
        Console.out(answer.body.hasSuffix("\n") ? String(answer.body.dropLast()) : answer.body)
    }
}

extension LatencyFormat: ExpressibleByArgument {}
