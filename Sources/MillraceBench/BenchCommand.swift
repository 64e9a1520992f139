package import ArgumentParser
internal import Histogram
internal import MillraceChannels
internal import MillraceConsole
internal import MillraceEvent
internal import MillraceTelemetry

/// `millrace bench`: a load generator.
package struct BenchCommand: AsyncParsableCommand {
    package static let configuration = CommandConfiguration(
        commandName: "bench",
        abstract: "Load generator: open or closed loop, latencies corrected for coordinated omission.",
        discussion: """
            With --rate it sends on a schedule, whatever the daemon does (open loop): "corrected" latencies count from \
            the time an event was to be sent, "uncorrected" ones from the time it was. Without --rate each connection \
            sends as soon as it may (closed loop, flat out): corrected is then HdrHistogram's correction by an expected \
            interval, the mean time between two events of one in-flight place. Trust the open loop for latencies, the \
            closed one for throughput.

            --find-max doubles the rate until a step fails twice, then bisects to 5 %. A step holds when its corrected p99 \
            is at most --p99 and 98 % of its rate were sent; each begins when the rows of the one before are in the tables.

            A latency ends when the ack is read. The ramp-up is sent and left out of the figures. At the end the rows \
            with the run's ids are counted in PostgreSQL. The daemon's tables keep them: use a database for this.

            --plan sends flat out until all rows are in the tables, measures what that took, and says what --rate events a \
            second would: processors, memory, disk, daemons, servers, each with its formula, and whether it was measured \
            or extrapolated. Run it on the machine, and with events like those (--file), that are to do the work.

            Exit status: 0 everything that was sent was acknowledged and found, 1 not, 2 wrong usage.

            Example:
              millrace bench --rate 10000 --ack committed --duration 30
              millrace bench --protocol http --connections 64 --events 100000
              millrace bench --find-max --p99 50 --ack committed --hlog find.hlog
              millrace bench --plan --rate 2000 --peak 10000 --months 24
            """
    )

    @OptionGroup var options: ConfigurationOptions

    @OptionGroup var connection: ConnectionOptions

    @Option(name: .customLong("protocol"), help: "tcp (pipelined lines) or http (keep-alive requests).")
    var wire: LoadPlan.Wire = .tcp

    @Option(
        help: "Where the daemon listens: host:port or unix:/path. Default: the first of tcp.listen or http.listen.")
    var to: Endpoint?

    @Option(help: "What an event waits for: spooled (durable on the daemon's disk) or committed (in PostgreSQL).")
    var ack: Submission.Acknowledgement = .spooled

    @Option(help: "Open loop at so many events a second in all; with --find-max the first step. Default: flat out.")
    var rate: Double?

    @Option(help: "Connections.")
    var connections: Int = 4

    @Option(help: "Events of one request; over TCP: lines that are due at the same time in the open loop.")
    var batch: Int = 1

    @Option(help: "TCP: lines of one connection without an ack at most.")
    var inFlight: Int = 5000

    @Option(help: "Events of the measured part.")
    var events: Int?

    @Option(help: "Seconds of the measured part, or of a step of --find-max. Default: 10, or 3.")
    var duration: Double?

    @Option(help: "Seconds of ramp-up before it. Default: 2, or 1 for each step of --find-max.")
    var warmup: Double?

    @Option(
        help: ArgumentHelp(
            "NDJSON (gzip, zstd) to cycle through instead of generated events; ids are replaced, times are kept.",
            valueName: "events.ndjson"), completion: .file())
    var file: String?

    @Option(help: "Of the generated events; the same seed gives the same events. Default: 1.")
    var seed: UInt64?

    @Option(help: "Mean length of a generated line with its ending. Default: 330.")
    var eventBytes: Int?

    @Flag(help: "Search the highest rate that holds --p99.")
    var findMax = false

    @Option(help: "Milliseconds that the corrected p99 of a step of --find-max may take.")
    var p99: Double?

    @Option(help: "Steps of --find-max at most.")
    var steps: Int = 24

    @Flag(help: "Say what --rate events a second need, by what a run flat out takes here.")
    var plan = false

    @Option(help: "--plan: events a second in the busiest minutes. Default: three times --rate.")
    var peak: Double?

    @Option(help: "--plan: whole months that stay in PostgreSQL.")
    var months: Int = 12

    @Option(help: "--plan: hours for which PostgreSQL may be away.")
    var outage: Double = 12

    @Option(help: "Writes an interval log: two lines a second, tagged corrected and uncorrected.", completion: .file())
    var hlog: String?

    @Option(
        help: "Writes the percentile distribution for HdrHistogram's plotter; the uncorrected one beside it.",
        completion: .file())
    var hgrm: String?

    @Flag(help: "Do not look for the rows in PostgreSQL.")
    var noVerify = false

    @Option(help: "Seconds for which no row may come while it waits for them.")
    var verifyLimit: Double = 30

    @Flag(help: "Progress also where standard error is no terminal.")
    var progress = false

    @Flag(help: "No progress.")
    var quiet = false

    @Flag(help: "The report as JSON.")
    var json = false

    package init() {}

    /// Throws a `ValidationError` at the first option out of its range, or beside one that excludes it.
    package func validate() throws {
        guard (1...10_000).contains(connections) else { throw ValidationError("--connections is 1 to 10000.") }
        guard (1...100_000).contains(batch) else { throw ValidationError("--batch is 1 to 100000.") }
        guard inFlight >= 1 else { throw ValidationError("--in-flight is at least 1.") }
        guard wire == .http || rate == nil && !findMax || batch <= inFlight else {
            throw ValidationError("--batch is at most --in-flight.")
        }
        guard rate.map({ $0 >= 0.01 && $0 <= 1e8 }) ?? true else { throw ValidationError("--rate is 0.01 to 1e8.") }
        guard events == nil || duration == nil else { throw ValidationError("Give --events or --duration.") }
        guard events.map({ $0 > 0 }) ?? true else { throw ValidationError("--events is at least 1.") }
        guard duration.map({ $0 >= 0.1 && $0 <= 1e6 }) ?? true else {
            throw ValidationError("--duration is 0.1 to 1000000.")
        }
        guard warmup.map({ $0 >= 0 && $0 <= 1e6 }) ?? true else { throw ValidationError("--warmup is 0 to 1000000.") }
        guard file == nil || seed == nil && eventBytes == nil else {
            throw ValidationError("--seed and --event-bytes are of generated events, not of --file.")
        }
        guard eventBytes.map({ EventTemplates.lineBytesRange.contains($0) }) ?? true else {
            let range = EventTemplates.lineBytesRange
            throw ValidationError("--event-bytes is \(range.lowerBound) to \(range.upperBound).")
        }
        guard findMax == (p99 != nil) else { throw ValidationError("--find-max and --p99 go together.") }
        guard p99.map({ $0 > 0 }) ?? true else { throw ValidationError("--p99 is above 0.") }
        guard !findMax || events == nil else { throw ValidationError("--find-max has steps of --duration.") }
        guard !plan || rate != nil else {
            throw ValidationError("--plan wants --rate, the events a second to plan for.")
        }
        guard !plan || !findMax && !noVerify else {
            throw ValidationError("--plan goes neither with --find-max nor with --no-verify.")
        }
        guard plan || peak == nil else { throw ValidationError("--peak goes with --plan.") }
        guard peak.map({ $0 >= rate ?? 0 && $0 <= 1e8 }) ?? true else {
            throw ValidationError("--peak is --rate to 1e8.")
        }
        guard (0...1200).contains(months) else { throw ValidationError("--months is 0 to 1200.") }
        guard outage >= 0 && outage <= 10_000 else { throw ValidationError("--outage is 0 to 10000 hours.") }
        guard steps >= 1 else { throw ValidationError("--steps is at least 1.") }
        guard verifyLimit >= 0 && verifyLimit <= 1e6 else {
            throw ValidationError("--verify-limit is 0 to 1000000.")
        }
    }

    @MainActor
    /// Runs the load, looks for its rows, and prints the report. Throws `ExitCode.failure` where something is missing.
    package func run() async throws {
        let context = try options.context()
        let destination = try connection.destination(
            to, or: wire == .tcp ? context.tcpListener() : context.httpListener())
        let runID = RunID(startedAt: .now, random: .random(in: .min ... .max))
        let templates =
            if let file {
                try EventTemplates.file(file, limits: context.eventLimits, at: .now, runID: runID)
            } else {
                EventTemplates.generated(seed: seed ?? 1, lineBytes: eventBytes ?? 330, runID: runID)
            }
        let plan = loadPlan
        var session = BenchSession(
            destination: destination, templates: templates,
            check: noVerify ? nil : try TableCheck(context, runID: runID),
            patience: .seconds(verifyLimit), log: try hlog.map { path throws(CommandError) in try .init(path) },
            progress: BenchProgress(isQuiet: quiet, isForced: progress), outcome: BenchOutcome(plan: plan))
        if self.plan, let rate { return try await runPlan(context, session, rate: rate) }
        var search: RateSearch?
        if let p99 {
            var running = RateSearch(p99MaxMicroseconds: p99 * 1000, firstRate: rate ?? 1000, stepsMax: steps)
            try await session.findMax(plan, search: &running)
            search = running
        } else {
            try await session.run(plan)
        }
        let found = try session.found()
        if let hgrm { try IntervalLog.writeDistributions(session.outcome.latencies, to: hgrm) }
        let report = report(session.outcome, search, found: found)
        if json {
            try Console.json(report)
        } else {
            Console.out(report.text(Self.summaries(session.outcome)))
        }
        for note in report.notes(session.outcome) { Console.error("note: \(note)") }
        for problem in report.problems { Console.error("millrace: \(problem)") }
        if !report.problems.isEmpty { throw ExitCode.failure }
    }

    private var loadPlan: LoadPlan {
        let extent: LoadPlan.Extent =
            if let events { .events(events) } else { .nanoseconds(Int64((duration ?? (findMax ? 3 : 10)) * 1e9)) }
        return LoadPlan(
            wire: wire, acknowledgement: ack, connections: connections, batch: batch, inFlightMax: inFlight,
            rate: plan ? nil : rate, warmupNanoseconds: Int64((warmup ?? (plan ? 0 : findMax ? 1 : 2)) * 1e9),
            extent: extent)
    }

    private func report(_ outcome: BenchOutcome, _ search: RateSearch?, found: Int?) -> BenchReport {
        let summaries = Self.summaries(outcome)
        var report = BenchReport(
            wire: wire, ack: ack.rawValue, isOpenLoop: outcome.plan.rate != nil, targetRate: outcome.plan.rate,
            connections: connections, batch: batch, seed: file == nil ? seed ?? 1 : nil,
            seconds: Duration.nanoseconds(outcome.tally.nanoseconds).reportedSeconds, events: outcome.tally.events,
            bytes: outcome.tally.measuredSentBytes, refused: outcome.refused, errors: outcome.failed,
            unacknowledged: outcome.unacknowledged, overdue: outcome.tally.overdue,
            generatorCPUSeconds: (outcome.cpuSeconds * 1e3).rounded() / 1e3,
            latencies: .init(corrected: .init(summaries[0]), uncorrected: .init(summaries[1])),
            tables: .init(checked: found != nil, sent: outcome.sent, found: found))
        if let search, let p99 {
            report.findMax = .init(
                p99Ms: p99, highestRate: search.highestHeld?.rate ?? 0,
                steps: search.steps.map {
                    .init(
                        rate: $0.rate, sentRate: ($0.sentRate * 10).rounded() / 10, p99Us: $0.p99Microseconds,
                        held: $0.held)
                })
        }
        report.problems = report.problems(outcome)
        return report
    }

    private static func summaries(_ outcome: BenchOutcome) -> [LatencySummary] {
        [
            LatencySummary("corrected", outcome.latencies.corrected),
            LatencySummary("uncorrected", outcome.latencies.uncorrected),
        ]
    }
}

extension LoadPlan.Wire: ExpressibleByArgument {}
