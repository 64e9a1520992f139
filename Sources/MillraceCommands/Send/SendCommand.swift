internal import ArgumentParser
internal import Glibc
internal import MillraceChannels
internal import MillraceConsole
internal import MillraceEvent

/// `millrace send`: NDJSON to a running daemon.
struct SendCommand: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "send",
        abstract: "Send NDJSON to a running daemon, with acks and a progress bar.",
        discussion: """
            Reads a file, or standard input for - or nothing; gzip and zstd are recognized by their first bytes. A line \
            counts only once the daemon has acknowledged it. When the connection ends, what was not acknowledged goes \
            out again over a new one.

            With --ack committed it tells, too, which lines a projection or a table did not take, and why.

            Exit status: 0 every line was accepted and none is parked or dead, 1 some were refused, parked or dead, or it \
            gave up, 2 wrong usage.

            Example:
              millrace send events.ndjson.gz
              tail -n +1 -F app.ndjson | millrace send --ack committed --to 127.0.0.1:7171
            """
    )

    @OptionGroup var options: ConfigurationOptions

    @OptionGroup var connection: ConnectionOptions

    @Argument(help: "An NDJSON file; - is standard input.", completion: .file())
    var file: String = "-"

    @Option(help: "Where the daemon listens: host:port or unix:/path. Default: the first of tcp.listen.")
    var to: Endpoint?

    @Option(help: "What a line waits for: spooled (durable on the daemon's disk) or committed (in PostgreSQL).")
    var ack: Submission.Acknowledgement = .spooled

    @Option(help: "Bytes of lines on their way without an ack at most, in KiB.")
    var windowKib: Int = 4096

    @Option(help: "Seconds for which connections may fail in a row before it gives up.")
    var retryFor: Int = 60

    @Option(help: "Refusals, and parked or dead lines, shown in the summary at most.")
    var refusals: Int = 10

    @Flag(help: "No progress.")
    var quiet = false

    @Flag(help: "The summary as JSON.")
    var json = false

    func validate() throws {
        guard windowKib > 0 else { throw ValidationError("--window-kib is at least 1.") }
        guard retryFor >= 0 else { throw ValidationError("--retry-for is 0 or more.") }
        guard refusals >= 0 else { throw ValidationError("--refusals is 0 or more.") }
    }

    func run() throws {
        let destination = try connection.destination(to, or: options.context().tcpListener())
        let descriptor = file == "-" ? STDIN_FILENO : try CompressedInput.open(file)
        defer { if file != "-" { close(descriptor) } }
        var session = SendSession(
            destination: destination,
            acknowledgement: ack,
            reader: LineReader(descriptor: descriptor),
            machine: SendStateMachine(
                windowBytesMax: windowKib * 1024, retryFor: .seconds(retryFor), keptMax: refusals)
        )
        var meter = ProgressMeter(isQuiet: quiet)
        var failure: CommandError?
        do throws(CommandError) {
            try session.run { progress in
                meter.update(count: progress.accepted + progress.refused) { elapsed, rate in
                    progress.line(elapsed: elapsed, linesPerSecond: rate)
                }
            }
        } catch {
            failure = error
        }
        meter.finish()
        let report = SendReport(of: session.machine, elapsed: meter.elapsed, failure: failure)
        if json { try Console.json(report) } else { Console.out(report.text) }
        if let failure { throw failure }
        if !report.isComplete { throw ExitCode.failure }
    }
}
