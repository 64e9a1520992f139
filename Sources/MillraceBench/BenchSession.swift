internal import Histogram
internal import MillraceThreads
internal import MillraceConsole
internal import MillraceTelemetry

/// Runs loads, shows how they go, and looks for their rows.
@MainActor
struct BenchSession {
    private static let lookInterval = Duration.milliseconds(50)
    private static let shownLengthMin = Duration.milliseconds(200)

    let destination: Destination
    let templates: EventTemplates
    /// nil: nobody looks into the tables.
    let check: TableCheck?
    /// How long no row may come while rows are waited for.
    let patience: Duration
    let log: IntervalLog?
    var progress: BenchProgress
    var outcome: BenchOutcome

    /// One run at the plan's pace.
    mutating func run(_ plan: LoadPlan) async throws {
        let (result, latencies) = try await load(plan)
        outcome.add(result)
        outcome.show(plan, result, latencies)
    }

    /// Runs with one rate after the other. Each begins when the rows of the one before are in the tables.
    mutating func findMax(_ plan: LoadPlan, search: inout RateSearch) async throws {
        guard case .nanoseconds(let duration) = plan.extent else {
            preconditionFailure("a search has steps of a fixed length")
        }
        while let rate = search.nextRate, outcome.failure == nil {
            var step = plan
            step.rate = rate
            let (result, latencies) = try await load(step)
            outcome.add(result)
            guard result.failure == nil else {
                if search.steps.isEmpty { outcome.show(step, result, latencies) }
                return
            }
            let sentRate = Double(result.tally.measuredSent) * 1e9 / Double(duration)
            let p99 = latencies.corrected.valueAtPercentile(99)
            let ended = search.stepEnded(rate: rate, sentRate: sentRate, p99Microseconds: p99)
            progress.note(
                "step \(search.steps.count): \(Format.count(Int(rate))) events/s: p99 \(Format.milliseconds(p99)) ms, "
                    + "\(Format.count(Int(sentRate))) events/s sent: \(ended.held ? "held" : "failed")")
            if search.highestHeld == ended || search.highestHeld == nil { outcome.show(step, result, latencies) }
            _ = try found()
        }
    }

    /// Rows of all runs; waits for those that were accepted. nil: nobody looks.
    mutating func found() throws -> Int? {
        guard let check, var times = outcome.times else { return nil }
        if let own = templates.ownTimes {
            times = min(times.lowerBound, own.lowerBound)...max(times.upperBound, own.upperBound)
        }
        let expected = outcome.accepted
        let found = try check.wait(for: expected, outcome.numbers, times: times, patience: patience) { found in
            progress.waiting(found: found, of: expected)
        }
        progress.finish()
        return found
    }

    private mutating func load(_ plan: LoadPlan) async throws -> (LoadResult, LatencyPair) {
        let board = LoadBoard()
        let (destination, templates, firstNumber) = (destination, templates, outcome.numbers.upperBound)
        async let running = BlockingThread.run(named: "bench") { () throws(CommandError) in
            try LoadLoop.result(
                of: plan, to: destination, templates: templates, firstNumber: firstNumber, board: board)
        }
        var latencies = LatencyPair()
        var elapsed = Duration.zero
        var isFinished = false
        while !isFinished {
            isFinished = board.isFinished
            for interval in board.take() {
                elapsed += interval.length
                if interval.isMeasured {
                    let pair = interval.corrected
                    latencies.add(pair)
                    try log?.append(interval, pair)
                }
                // The last one may be too short for a rate.
                if interval.length < Self.shownLengthMin { continue }
                progress.show(
                    interval, elapsed: elapsed,
                    p99Microseconds: latencies.corrected.totalCount > 0
                        ? latencies.corrected.valueAtPercentile(99) : nil)
            }
            if !isFinished { try await Task.sleep(for: Self.lookInterval) }
        }
        progress.finish()
        return (try await running, latencies)
    }
}

/// What one or several runs came to, so far.
struct BenchOutcome {
    /// The run whose figures are shown.
    var plan: LoadPlan
    var tally = LoadTally()
    var latencies = LatencyPair()

    // All runs together.
    var sent = 0
    var accepted = 0
    var refused = 0
    var failed = 0
    var cpuSeconds = 0.0
    var numbers: Range<UInt64> = 0..<0
    var times: ClosedRange<Int64>?
    var complaints: [String] = []
    var failure: CommandError?

    var unacknowledged: Int { sent - accepted - refused - failed }

    /// Takes the sums of a run.
    mutating func add(_ result: LoadResult) {
        sent += result.tally.sent
        accepted += result.tally.accepted
        refused += result.tally.refused
        failed += result.tally.failed
        cpuSeconds += result.cpuSeconds
        numbers = 0..<result.numbers.upperBound
        let (low, high) = (result.times.lowerBound, result.times.upperBound)
        times = min(times?.lowerBound ?? low, low)...max(times?.upperBound ?? high, high)
        for complaint in result.complaints where !complaints.contains(complaint) { complaints.append(complaint) }
        failure = failure ?? result.failure
    }

    /// Shows this run's figures.
    mutating func show(_ plan: LoadPlan, _ result: LoadResult, _ latencies: LatencyPair) {
        self.plan = plan
        tally = result.tally
        self.latencies = latencies
    }
}
