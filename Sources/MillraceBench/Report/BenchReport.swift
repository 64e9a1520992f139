internal import Histogram
internal import MillraceTelemetry

/// What `millrace bench` found.
struct BenchReport: Encodable {
    struct Latencies: Encodable {
        var corrected: BenchSummary
        var uncorrected: BenchSummary
    }

    struct Tables: Encodable {
        var checked: Bool
        /// Ramp-up and all steps of a search included.
        var sent: Int
        /// Rows with the ids of the run; nil when nobody looked.
        var found: Int?

        private enum CodingKeys: CodingKey { case checked, sent, found }

        func encode(to encoder: any Encoder) throws {
            var values = encoder.container(keyedBy: CodingKeys.self)
            try values.encode(checked, forKey: .checked)
            try values.encode(sent, forKey: .sent)
            try values.encode(found, forKey: .found)
        }
    }

    struct FindMax: Encodable {
        struct Step: Encodable {
            var rate: Double
            var sentRate: Double
            var p99Us: UInt64
            var held: Bool
        }

        var p99Ms: Double
        /// 0 when none held.
        var highestRate: Double
        var steps: [Step]
    }

    var wire: LoadPlan.Wire
    var ack: String
    var isOpenLoop: Bool
    /// nil in the closed loop.
    var targetRate: Double?
    var connections: Int
    var batch: Int
    /// nil when the events come from a file.
    var seed: UInt64?
    /// The measured part: from its first line sent (open loop: due) to its last one answered.
    var seconds: Double
    /// Accepted ones of the measured part.
    var events: Int
    var bytes: Int
    /// Of the whole run.
    var refused: Int
    var errors: Int
    /// Never acknowledged, of the whole run.
    var unacknowledged: Int
    /// Due in the measured part, and not sent by its end.
    var overdue: Int
    var generatorCPUSeconds: Double
    var latencies: Latencies
    var tables: Tables
    var findMax: FindMax?
    /// What went wrong, each with the next step.
    var problems: [String] = []

    var eventsPerSecond: Double { seconds > 0 ? (Double(events) / seconds * 10).rounded() / 10 : 0 }

    private enum CodingKeys: String, CodingKey {
        case wire = "protocol"
        case ack, mode, targetRate, connections, batch, seed, seconds, events, bytes, eventsPerSecond, refused, errors
        case unacknowledged, overdue, generatorCpuSeconds, latencyUs, tables, findMax, problems
    }

    func encode(to encoder: any Encoder) throws {
        var values = encoder.container(keyedBy: CodingKeys.self)
        try values.encode(wire.rawValue, forKey: .wire)
        try values.encode(ack, forKey: .ack)
        try values.encode(isOpenLoop ? "open" : "closed", forKey: .mode)
        try values.encode(targetRate, forKey: .targetRate)
        try values.encode(connections, forKey: .connections)
        try values.encode(batch, forKey: .batch)
        try values.encode(seed, forKey: .seed)
        try values.encode(seconds, forKey: .seconds)
        try values.encode(events, forKey: .events)
        try values.encode(bytes, forKey: .bytes)
        try values.encode(eventsPerSecond, forKey: .eventsPerSecond)
        try values.encode(refused, forKey: .refused)
        try values.encode(errors, forKey: .errors)
        try values.encode(unacknowledged, forKey: .unacknowledged)
        try values.encode(overdue, forKey: .overdue)
        try values.encode(generatorCPUSeconds, forKey: .generatorCpuSeconds)
        try values.encode(latencies, forKey: .latencyUs)
        try values.encode(tables, forKey: .tables)
        try values.encodeIfPresent(findMax, forKey: .findMax)
        try values.encode(problems, forKey: .problems)
    }
}

/// Percentiles of one histogram, in microseconds, as the JSON has them.
struct BenchSummary: Encodable, Equatable {
    private enum CodingKeys: String, CodingKey {
        case count, min, mean, p50, p90, p99
        case p999 = "p99_9"
        case p9999 = "p99_99"
        case max
    }

    var count: UInt64
    var min: UInt64
    var mean: Double
    var p50: UInt64
    var p90: UInt64
    var p99: UInt64
    var p999: UInt64
    var p9999: UInt64
    var max: UInt64

    init(_ summary: LatencySummary) {
        count = summary.count
        min = summary.min
        mean = summary.mean
        p50 = summary.p50
        p90 = summary.p90
        p99 = summary.p99
        p999 = summary.p999
        p9999 = summary.p9999
        max = summary.max
    }
}
