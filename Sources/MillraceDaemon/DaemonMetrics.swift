import Metrics
import MillraceAPI
import MillraceEvent
import MillraceIntake
import MillracePostgres
import MillraceProjections
import MillraceRoutes
import MillraceSpool
import MillraceTelemetry
import MillraceWriter
import Synchronization

/// The stages' counters, brought together under their names for `/metrics`. Reading costs nothing until asked.
struct DaemonMetrics: Sendable {
    let intake: IntakeMetrics
    let spool: SpoolMetrics
    let writer: WriterMetrics
    let reads: ReadMetrics
    let outbox = OutboxMetrics()
    /// Since 1970.
    let startedAt = WallClock.sinceEpoch
    private let registry = PrometheusRegistry()
    private let latencies: StageLatencies

    /// `channel`, `extents`: whose lengths are gauges. `spoolDirectory`: whose disk is watched. `stallAfter`: how long
    /// nothing is written before that is a stall. `log`: whose dropped lines are counted.
    init(
        channel: RecordChannel, extents: ExtentChannel, spoolDirectory: String, stallAfter: Duration, log: LogWriter
    ) {
        let latencies = StageLatencies(registry)
        self.latencies = latencies
        intake = IntakeMetrics { route, microseconds in latencies.requestAnswered(route, microseconds) }
        spool = SpoolMetrics { group in latencies.groupDurable(group) }
        let rows = registry.summary(.writerBatchRows)
        writer = WriterMetrics(writing: WritingMonitor(stallAfter: stallAfter)) { durations, count in
            latencies.batchWritten(durations, count: count)
            rows.record(Double(count))
        } onCommitted: { sequences, arrivals, takenAt in
            latencies.batchCommitted(sequences, arrivals, takenAt: takenAt)
        }
        reads = ReadMetrics { route, microseconds in latencies.queryAnswered(route, microseconds) }
        observeIntake()
        observeReads()
        observeSpool(channel, directory: spoolDirectory)
        observeWriter(extents)
        observeOutbox()
        registry.observe(.buildInfo, [.version: Version.current]) { 1 }
        registry.observe(.logLinesDropped) { Double(log.droppedLines) }
        registry.observe(.processResidentMemory) { Double(ProcessMemory.residentBytes() ?? 0) }
    }

    /// Prometheus' text format, version 0.0.4.
    func text() -> String { registry.text() }

    /// All latencies since the start.
    func latencySnapshot() -> LatencySnapshot { registry.latencySnapshot(startedAt: startedAt) }

    /// Takes what libraries record through swift-metrics too. Once in a process.
    func bootstrap() {
        MetricsSystem.bootstrap(registry)
    }

    /// Age of the oldest line that is not known to be in the database. `store`: read, where this run did not see the line.
    func observeOldest(in store: SegmentStore) {
        let writer = writer
        let latencies = latencies
        let found = Mutex<(sequence: UInt64, receivedAt: Timestamp)?>(nil)
        registry.observe(.spoolOldestUncommitted) {
            guard let first = writer.uncommitted().first else { return 0 }
            let receivedAt =
                latencies.receivedAt(of: first)
                ?? found.withLock { found in
                    if let found, found.sequence == first { return found.receivedAt }
                    found = store.receivedAt(of: first).map { (first, $0) }
                    return found?.receivedAt
                }
            return receivedAt.map { max(0, Double(Timestamp.now.microseconds - $0.microseconds) / 1e6) } ?? 0
        }
    }

    private func observeIntake() {
        let intake = intake
        for transport in IntakeMetrics.Transport.allCases {
            let counters = intake[transport]
            let labels: PrometheusRegistry.Labels = [.transport: transport.description]
            registry.observe(.intakeLinesReceived, labels) { Double(counters.linesReceived.value) }
            registry.observe(.intakeLinesAbandoned, labels) { Double(counters.linesAbandoned.value) }
            registry.observe(.intakeLinesNotKept, labels) { Double(counters.linesNotKept.value) }
            registry.observe(.intakeReceivedBytes, labels) { Double(counters.bytesReceived.value) }
            registry.observe(.intakeConnectionsAccepted, labels) { Double(counters.connectionsAccepted.value) }
            registry.observe(.intakeConnectionsRefused, labels) { Double(counters.connectionsRefused.value) }
            registry.observe(.intakeConnectionsClosed, labels) { Double(counters.connectionsClosed.value) }
            registry.observe(.intakeConnectionsOpen, labels) { Double(counters.connectionsOpen.value) }
        }
        for kind in RecordKind.allCases {
            registry.observe(.intakeLinesAccepted, [.kind: kind.description]) { Double(intake.accepted(kind).value) }
        }
        for code in RefusalCode.allCases {
            registry.observe(.intakeLinesRefused, [.code: code.rawValue]) { Double(intake.refused(code).value) }
        }
        for route in HTTPRoute.allCases {
            for statusClass in 1...5 {
                registry.observe(.httpRequests, [.route: route.description, .status: "\(statusClass)xx"]) {
                    Double(intake.requests(route, statusClass: statusClass).value)
                }
            }
        }
    }

    /// What is held for clients.
    func observeMemory(_ memory: MemoryBudget) {
        registry.observe(.memoryBudget) { Double(memory.bytesMax) }
        registry.observe(.memoryUsed) { Double(memory.usedBytes) }
        for use in MemoryBudget.Use.allCases {
            registry.observe(.memoryRefused, [.reason: use.rawValue]) { Double(memory.refused(use)) }
        }
    }

    private func observeReads() {
        let reads = reads
        registry.observe(.readConnectionsIdle) { Double(reads.connectionsIdle) }
        registry.observe(.readConnectionsBusy) { Double(reads.connectionsBusy) }
        registry.observe(.readRequestsWaiting) { Double(reads.requestsWaiting) }
        for refusal in ReadRefusal.allCases {
            registry.observe(.readRefused, [.reason: refusal.rawValue]) { Double(reads.refused(refusal)) }
        }
    }

    private func observeSpool(_ channel: RecordChannel, directory: String) {
        let spool = spool
        for kind in RecordKind.allCases {
            let appended = spool.appended(kind)
            let labels: PrometheusRegistry.Labels = [.kind: kind.description]
            registry.observe(.spoolAppendedRecords, labels) { Double(appended.records.load(ordering: .relaxed)) }
            registry.observe(.spoolAppendedLines, labels) { Double(appended.lines.load(ordering: .relaxed)) }
            registry.observe(.spoolRecoveredLines, labels) { Double(spool.recovered(kind)) }
            registry.observe(.spoolAppendedBytes, labels) { Double(appended.bytes.load(ordering: .relaxed)) }
        }
        registry.observe(.spoolGroups) { Double(spool.groups.load(ordering: .relaxed)) }
        registry.observe(.spoolFaults) { Double(spool.faults.load(ordering: .relaxed)) }
        registry.observe(.spoolDamaged) { Double(spool.damaged.load(ordering: .relaxed)) }
        registry.observe(.spoolRefused, [.reason: SpoolRefusal.spoolFull.rawValue]) {
            Double(spool.refusedFull.load(ordering: .relaxed))
        }
        registry.observe(.spoolRefused, [.reason: SpoolRefusal.spoolFailed.rawValue]) {
            Double(spool.refusedFailed.load(ordering: .relaxed))
        }
        registry.observe(.spoolRefusing) { channel.refusal == nil ? 0 : 1 }
        registry.observe(.spoolFreeBytes) { Double((try? PosixFileSystem().freeBytes(at: directory)) ?? 0) }
        registry.observe(.spoolQueueBytes) { Double(channel.waitingBytes) }
        registry.observe(.spoolSegments) { Double(spool.segments.load(ordering: .relaxed)) }
        registry.observe(.spoolSegmentsRetired) { Double(spool.retired.load(ordering: .relaxed)) }
        registry.observe(.spoolSegmentsRetiredEarly) { Double(spool.retiredEarly.load(ordering: .relaxed)) }
        registry.observe(.spoolBytes) { Double(spool.segmentBytes.load(ordering: .relaxed)) }
    }

    private func observeWriter(_ extents: ExtentChannel) {
        observe("event") { $0.events }
        observe("conversation") { $0.conversations }
        let writer = writer
        registry.observe(.writerLinesRefused) { Double(writer.refused.load(ordering: .relaxed)) }
        registry.observe(.writerBatches) { Double(writer.batches.load(ordering: .relaxed)) }
        for reason in WriterMetrics.retryReasons {
            registry.observe(.writerRetries, [.reason: reason.rawValue]) { Double(writer.retries(reason)) }
        }
        registry.observe(.writerParked) { Double(writer.parked.load(ordering: .relaxed)) }
        registry.observe(.writerUnfolded) { Double(writer.unfoldedBatches.load(ordering: .relaxed)) }
        registry.observe(.writerJoined) { Double(writer.joinedRows.load(ordering: .relaxed)) }
        registry.observe(.writerDroppedLetters) { Double(writer.droppedLetters.load(ordering: .relaxed)) }
        registry.observe(.writerWaitingLines) { Double(extents.waitingCount) }
        let latest = uncommitted
        for (index, kind) in (RecordKind.allCases.map(\.description) + ["unread"]).enumerated() {
            registry.observe(.spoolUncommittedLines, [.kind: kind]) { Double(latest()[index]) }
        }
        registry.observe(.writerStopped) { writer.writing.isStopped ? 1 : 0 }
        registry.observe(.writerStuckBatches) { Double(writer.stuckBatches.load(ordering: .relaxed)) }
        registry.observe(.writerStalled) { writer.writing.state.isWriting ? 0 : 1 }
        registry.observe(.writerStalledSeconds) {
            let state = writer.writing.state
            guard !state.isWriting, let since = state.stall?.since else { return 0 }
            return max(0, Double(Timestamp.now.microseconds - since.microseconds) / 1e6)
        }
        registry.observe(.spoolRetentionBlocked) { writer.isRetentionBlocked.load(ordering: .relaxed) ? 1 : 0 }
        registry.observe(.postgresqlUp) { writer.isDatabaseUp.load(ordering: .relaxed) ? 1 : 0 }
        registry.observe(.partitionsMonthsAhead) { Double(writer.monthsAhead.load(ordering: .relaxed)) }
    }

    private func observeOutbox() {
        let outbox = outbox
        registry.observe(.outboxWaitingRows) { Double(outbox.waiting.load(ordering: .relaxed)) }
        registry.observe(.outboxDeliveredRows) { Double(outbox.delivered.load(ordering: .relaxed)) }
        registry.observe(.outboxRefusedRows) { Double(outbox.refused.load(ordering: .relaxed)) }
    }

    /// By pack: how far the live version and a rebuild are.
    func observeProjections(_ packs: [String]) {
        let writer = writer
        for pack in packs {
            let labels: PrometheusRegistry.Labels = [.pack: pack]
            registry.observe(.projectionsBehind, labels) { Double(writer.progress(of: pack, .live)?.behind ?? 0) }
            registry.observe(.projectionsParked, labels) { Double(writer.progress(of: pack, .live)?.parked ?? 0) }
            registry.observe(.projectionsRebuildDone, labels) {
                Double(writer.progress(of: pack, .building)?.batchesDone ?? 0)
            }
            registry.observe(.projectionsRebuildTotal, labels) {
                Double(writer.progress(of: pack, .building)?.batchesTotal ?? 0)
            }
        }
    }

    private func observe(_ kind: String, _ counts: @escaping @Sendable (WriterMetrics) -> WriterMetrics.Kind) {
        let counts = counts(writer)
        registry.observe(.writerLinesCommitted, [.kind: kind]) { Double(counts.committed.load(ordering: .relaxed)) }
        registry.observe(.writerLinesDuplicate, [.kind: kind]) { Double(counts.duplicates.load(ordering: .relaxed)) }
        registry.observe(.writerLinesDead, [.kind: kind]) { Double(counts.dead.load(ordering: .relaxed)) }
    }

    /// Lines in the spool and not in the database, by kind, and last those whose kind is not known: of an earlier run,
    /// not yet seen by the scan that queues them. What was appended or recovered, less what was settled.
    private var uncommitted: @Sendable () -> [Int] {
        { [spool, writer] in
            let uncommitted = writer.uncommitted()
            func kind(_ kind: RecordKind, _ settled: Int) -> Int {
                max(0, spool.appended(kind).lines.load(ordering: .relaxed) + spool.recovered(kind) - settled)
            }
            let kinds = [
                kind(.event, Self.settled(writer.events)), kind(.conversation, Self.settled(writer.conversations)),
                kind(.refused, writer.refused.load(ordering: .relaxed)),
            ]
            let unread = max(0, uncommitted.count - kinds.reduce(0, +))
            return kinds + [min(unread, uncommitted.earlierCount)]
        }
    }

    private static func settled(_ counts: WriterMetrics.Kind) -> Int {
        counts.committed.load(ordering: .relaxed) + counts.duplicates.load(ordering: .relaxed)
            + counts.dead.load(ordering: .relaxed)
    }
}
