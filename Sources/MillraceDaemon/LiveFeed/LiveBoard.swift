import MillraceAPI
internal import MillraceChannels
import MillraceEvent
import MillraceIntake
import MillraceSpool
import MillraceTelemetry
import MillraceWriter
import Synchronization

/// Makes the ticks of `/v1/live`: looks at the daemon once an interval, however many watch, and not at all while nobody
/// does.
final class LiveBoard: Sendable {
    /// A look that is older, in intervals, tells no rate of now.
    private static let staleIntervals = 3

    private struct State {
        var latest: LiveSample?
        var previous: LiveSample?
        var latencies: LatencySnapshot?
        var latency: [LiveLatency] = []
        /// Of the conservation law, at the look before and at the latest.
        var differences = (previous: 0, latest: 0)
    }

    private let pipeline: Pipeline
    private let settings: LiveSettings
    private let spoolDirectory: String
    private let spoolBytesMax: Int
    private let oldestWaitingAt: @Sendable () -> Timestamp?
    let feed: EventFeed
    let streams: OpenStreams
    private let state = Mutex(State())

    /// `spool`: its directory and the most bytes that it takes. `oldestWaitingAt`: when the oldest line was received that is
    /// not known to be in the database.
    init(
        _ pipeline: Pipeline, _ settings: LiveSettings, spool: SpoolConfiguration, feed: EventFeed,
        oldestWaitingAt: @escaping @Sendable () -> Timestamp?
    ) {
        self.pipeline = pipeline
        self.settings = settings
        spoolDirectory = spool.directory
        spoolBytesMax = spool.bytes
        self.feed = feed
        self.oldestWaitingAt = oldestWaitingAt
        streams = OpenStreams()
        pipeline.metrics.observe(feed, streams)
    }

    /// What `reader` may see now. `interval`: between ticks; who asks within half of one gets the look of before.
    func tick(for reader: LiveReader, every interval: Duration, _ readiness: Readiness) -> LiveTick {
        let (report, latency, isHeld, difference) = state.withLock { state in
            look(&state, every: interval)
            let report = LiveReport(
                latest: state.latest ?? LiveSample(at: .now), previous: state.previous, reader: reader)
            let isHeld = state.differences.latest == 0 || state.differences.previous == 0
            return (report, state.latency, isHeld, state.differences.latest)
        }
        let isAll = report.scope == .all
        let metrics = pipeline.metrics
        return LiveTick(
            time: LogTime.text(WallClock.sinceEpoch), scope: report.scope, tenant: Int(reader.tenant),
            version: Version.current, commit: Version.commit, startedAt: LogTime.text(metrics.startedAt),
            uptimeSeconds: LiveReport.rounded(WallClock.sinceEpoch - metrics.startedAt),
            intervalSeconds: report.intervalSeconds, readiness: LiveReadiness(readiness), lines: report.counts,
            bytesReceived: isAll ? report.latest.bytesReceived : nil, requests: isAll ? report.latest.requests : nil,
            batches: isAll ? report.latest.batches : nil, rates: report.rates, refusals: report.refusals,
            conservation: conservation(difference, holds: isHeld, isAll: isAll), spool: spool, database: database,
            writers: writers, latency: latency, monthsAhead: metrics.writer.monthsAhead(at: Timestamp.now.microseconds),
            connections: isAll ? connections : nil, senders: report.senders,
            streams: LiveStreams(
                tails: streams.tailCount, watchers: streams.watcherCount, dropped: feed.dropped.value))
    }

    private func look(_ state: inout State, every interval: Duration) {
        let now = ContinuousClock.now
        if let latest = state.latest {
            guard now - latest.at >= interval / 2 else { return }
            if now - latest.at > interval * Self.staleIntervals {
                state = State()
            }
        }
        let metrics = pipeline.metrics
        state.previous = state.latest
        state.latest = LiveSample(metrics, pipeline.keys, at: now)
        state.differences = (state.differences.latest, metrics.conservationDifference)
        let latencies = metrics.latencySnapshot()
        let recent = state.latencies.map { latencies.since($0) }
        state.latencies = latencies
        // Of routes and queries there are too many to be looked at.
        state.latency = latencies.stages.filter { !$0.name.contains(":") }.map { stage in
            let histogram = recent?.stages.first { $0.name == stage.name }?.histogram
            return LiveLatency(
                stage: stage.name, interval: histogram.map { .init(LatencySummary(stage.name, $0)) },
                total: .init(LatencySummary(stage.name, stage.histogram)))
        }
    }

    private func conservation(_ difference: Int, holds: Bool, isAll: Bool) -> LiveConservation {
        guard isAll else {
            return LiveConservation(
                inAndRecovered: nil, committed: nil, duplicates: nil, dead: nil, refused: nil, inSpool: nil,
                difference: difference, holds: holds)
        }
        let law = pipeline.metrics.conservation
        return LiveConservation(
            inAndRecovered: law.inAndRecovered, committed: law.committed, duplicates: law.duplicates, dead: law.dead,
            refused: law.refused,
            inSpool: law.inAndRecovered - law.committed - law.duplicates - law.dead - law.refused - difference,
            difference: difference, holds: holds)
    }

    private var spool: LiveSpool {
        let metrics = pipeline.metrics
        let age = oldestWaitingAt().map { max(0, Double(Timestamp.now.microseconds - $0.microseconds) / 1e6) } ?? 0
        return LiveSpool(
            bytes: metrics.spool.segmentBytes.value, capacityBytes: spoolBytesMax,
            freeBytes: (try? PosixFileSystem().freeBytes(at: spoolDirectory)) ?? 0,
            queueBytes: pipeline.channel.waitingBytes, segments: metrics.spool.segments.value,
            uncommittedLines: metrics.writer.uncommitted().count,
            oldestUncommittedSeconds: (age * 1000).rounded() / 1000, refusing: pipeline.channel.refusal?.rawValue)
    }

    private var database: LiveDatabase {
        LiveDatabase(
            up: pipeline.metrics.writer.isDatabaseUp.load(ordering: .relaxed),
            stuckBatches: pipeline.metrics.writer.stuckBatches.value, waitingLines: pipeline.extents.waitingCount)
    }

    private var writers: [LiveWriter] {
        let metrics = pipeline.metrics.writer
        let isUp = metrics.isDatabaseUp.load(ordering: .relaxed)
        return metrics.activities.all.enumerated().map { index, activity in
            LiveWriter(
                index: index, state: activity.lines == 0 ? .idle : isUp ? .writing : .waiting, lines: activity.lines,
                seconds: LiveReport.rounded(activity.since.duration(to: .now)))
        }
    }

    private var connections: [LiveConnections] {
        let intake = pipeline.metrics.intake
        return [
            LiveConnections(
                transport: "tcp", open: intake[.tcp].connectionsOpen.value, max: settings.tcp.value.tcp.connectionsMax),
            LiveConnections(
                transport: "http", open: intake[.http].connectionsOpen.value,
                max: settings.http.value.http.connectionsMax),
        ]
    }
}
