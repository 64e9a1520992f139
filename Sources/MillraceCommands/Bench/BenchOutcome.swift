internal import MillraceTelemetry

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
