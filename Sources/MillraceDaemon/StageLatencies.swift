import MillraceAPI
import MillraceChannels
import MillraceEvent
import MillraceIntake
import MillraceRoutes
import MillraceSpool
import MillraceTelemetry
import MillraceWriter
import Synchronization

/// Records how long lines take from stage to stage: once a group, a batch or a request, weighted by its count of lines.
/// Safe to call from any thread.
final class StageLatencies: Sendable {
    private let durable: LatencyRecorder
    private let committed: LatencyRecorder
    private let whole: LatencyRecorder
    private let spoolQueue: LatencyRecorder
    private let sync: LatencyRecorder
    private let writerQueue: LatencyRecorder
    private let copy: LatencyRecorder
    private let projection: LatencyRecorder
    private let commit: LatencyRecorder
    /// By `HTTPRoute`'s raw value.
    private let requests: [LatencyRecorder]
    private let queries: [HTTPRoute: LatencyRecorder]
    private let durableTimes = Mutex(DurableTimes())

    init(_ registry: PrometheusRegistry) {
        durable = registry.timer(.pipelineDurable)
        committed = registry.timer(.pipelineCommit)
        whole = registry.timer(.pipelineWhole)
        spoolQueue = registry.timer(.spoolQueueDuration)
        sync = registry.timer(.spoolSyncDuration)
        writerQueue = registry.timer(.writerQueueDuration)
        copy = registry.timer(.writerCopyDuration)
        projection = registry.timer(.writerProjectionDuration)
        commit = registry.timer(.writerCommitDuration)
        requests = HTTPRoute.allCases.map { registry.timer(.httpRequestDuration, [.route: $0.description]) }
        queries = Dictionary(
            uniqueKeysWithValues: HTTPRoute.allCases.filter(\.isOfDatabase).map { route in
                (route, registry.timer(.readQueryDuration, [.route: route.description]))
            })
    }

    func queryAnswered(_ route: HTTPRoute, _ microseconds: Int64) {
        queries[route]?.record(microseconds: microseconds)
    }

    func requestAnswered(_ route: HTTPRoute, _ microseconds: Int64) {
        requests[route.rawValue].record(microseconds: microseconds)
    }

    /// Before a writer can see the group.
    func groupDurable(_ group: SpoolGroup) {
        let oldest = group.arrivals.map(\.receivedAt).min() ?? group.takenAt
        durableTimes.withLock {
            $0.groupDurable(
                group.sequences, receivedAt: oldest.microseconds, durableAt: group.durableAt.microseconds)
        }
        spoolQueue.record(group.arrivals.map { ($0.receivedAt.distance(to: group.takenAt), $0.count) })
        durable.record(group.arrivals.map { ($0.receivedAt.distance(to: group.durableAt), $0.count) })
        sync.record(group.sync, count: group.sequences.count)
    }

    func batchWritten(_ durations: BatchDurations, count: Int) {
        copy.record(durations.copy, count: count)
        projection.record(durations.projection, count: count)
        commit.record(durations.commit, count: count)
    }

    /// Lines that were durable before this run count from when they were received: nothing else is known of them.
    func batchCommitted(_ sequences: Range<UInt64>, _ arrivals: [Arrival], takenAt: Timestamp) {
        let now = Timestamp.now
        var parts = durableTimes.withLock { $0.batchCommitted(sequences) }[...]
        whole.record(arrivals.map { ($0.receivedAt.distance(to: now), $0.sequences.count) })
        var waits: [(microseconds: Int64, count: Int)] = []
        var queued: [(microseconds: Int64, count: Int)] = []
        for arrival in arrivals {
            var next = arrival.sequences.lowerBound
            while next < arrival.sequences.upperBound {
                while let part = parts.first, part.sequences.upperBound <= next { parts.removeFirst() }
                var end = arrival.sequences.upperBound
                var durableAt = arrival.receivedAt
                if let part = parts.first, part.sequences.lowerBound <= next {
                    end = min(end, part.sequences.upperBound)
                    durableAt = Timestamp(microseconds: part.durableAt)
                } else if let part = parts.first {
                    end = min(end, part.sequences.lowerBound)
                }
                waits.append((durableAt.distance(to: now), Int(end - next)))
                queued.append((durableAt.distance(to: takenAt), Int(end - next)))
                next = end
            }
        }
        committed.record(waits)
        writerQueue.record(queued)
    }

    /// When the line was received, roughly; nil unless it became durable in this run.
    func receivedAt(of sequence: UInt64) -> Timestamp? {
        durableTimes.withLock { $0.receivedAt(of: sequence) }.map { Timestamp(microseconds: $0) }
    }
}

extension Timestamp {
    /// In microseconds; negative when `other` is earlier.
    fileprivate func distance(to other: Timestamp) -> Int64 { other.microseconds - microseconds }
}
