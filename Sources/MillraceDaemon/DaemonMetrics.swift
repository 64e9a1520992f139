import Metrics
import MillraceAPI
import MillraceAccess
import MillraceBackup
internal import MillraceChannels
import MillraceEvent
import MillraceIntake
import MillracePostgres
import MillraceProjections
import MillraceRoutes
import MillraceSpool
import MillraceTelemetry
import MillraceTreatment
import MillraceWriter
import Synchronization

/// The stages' counters, brought together under their names for `/metrics`. Reading costs nothing until asked.
struct DaemonMetrics: Sendable {
    let intake: IntakeMetrics
    let spool: SpoolMetrics
    let writer: WriterMetrics
    let reads: ReadMetrics
    let outbox = OutboxMetrics()
    let months = MonthsMetrics()
    let keys = KeyMetrics()
    let keySets = KeySetMetrics()
    let rules: RuleCounters
    /// Since 1970.
    let startedAt = WallClock.sinceEpoch
    let registry = PrometheusRegistry()
    private let latencies: StageLatencies

    /// `channel`, `extents`: whose lengths are gauges. `spoolDirectory`: whose disk is watched. `stallAfter`: how long
    /// nothing is written before that is a stall. `tenantsMax`: with series of their own. `log`: whose dropped lines are counted.
    init(
        channel: RecordChannel, extents: ExtentChannel, spoolDirectory: String, stallAfter: Duration, tenantsMax: Int,
        log: LogWriter
    ) {
        rules = RuleCounters(in: registry)
        let latencies = StageLatencies(registry)
        self.latencies = latencies
        let accepted = TenantCounters(.tenantLinesAccepted, tenantsMax: tenantsMax, in: registry)
        intake = IntakeMetrics(tenants: accepted) { route, microseconds in
            latencies.requestAnswered(route, microseconds)
        }
        spool = SpoolMetrics { group in latencies.groupDurable(group) }
        let rows = registry.summary(.writerBatchRows)
        let tenants = WriterMetrics.Tenants(tenantsMax: tenantsMax, in: registry)
        writer = WriterMetrics(writing: WritingMonitor(stallAfter: stallAfter), tenants: tenants) { durations, count in
            latencies.batchWritten(durations, count: count)
            rows.record(Double(count))
        } onCommitted: { sequences, arrivals, takenAt in
            latencies.batchCommitted(sequences, arrivals, takenAt: takenAt)
        }
        reads = ReadMetrics { route, microseconds in latencies.queryAnswered(route, microseconds) }
        observeIntake()
        observeReads()
        registry.expose(keySets.taken, as: .jwksFetches, [.result: "taken"])
        registry.expose(keySets.failed, as: .jwksFetches, [.result: "failed"])
        observeSpool(channel, directory: spoolDirectory)
        observeWriter(extents)
        observeOutbox()
        registry.observe(.buildInfo, [.version: Version.current]) { 1 }
        registry.observe(.logLinesDropped) { Double(log.droppedLines) }
        registry.observe(.processResidentMemory) { Double(ProcessMemory.residentBytes() ?? 0) }
        registry.observe(.processCPU) { ProcessorTime.seconds() }
    }

    /// Prometheus' text format, version 0.0.4.
    func text() -> String { registry.text() }

    /// All latencies since the start.
    func latencySnapshot() -> LatencySnapshot { registry.latencySnapshot(startedAt: startedAt) }

    /// Takes what libraries record through swift-metrics too. Once in a process.
    func bootstrap() {
        MetricsSystem.bootstrap(registry)
    }

    /// When the oldest line was received that is not known to be in the database; exposes its age, too. `store`: read, where
    /// this run did not see the line.
    func observeOldest(in store: SegmentStore) -> @Sendable () -> Timestamp? {
        let oldest = OldestUncommitted(writer: writer, latencies: latencies, store: store)
        registry.observe(.spoolOldestUncommitted) {
            oldest.receivedAt.map { max(0, Double(Timestamp.now.microseconds - $0.microseconds) / 1e6) } ?? 0
        }
        return { oldest.receivedAt }
    }

    private func observeIntake() {
        let intake = intake
        for transport in IntakeMetrics.Transport.allCases {
            let counters = intake[transport]
            let labels: PrometheusRegistry.Labels = [.transport: transport.description]
            registry.expose(counters.linesReceived, as: .intakeLinesReceived, labels)
            registry.expose(counters.linesAbandoned, as: .intakeLinesAbandoned, labels)
            registry.expose(counters.linesNotKept, as: .intakeLinesNotKept, labels)
            registry.expose(counters.bytesReceived, as: .intakeReceivedBytes, labels)
            registry.expose(counters.connectionsAccepted, as: .intakeConnectionsAccepted, labels)
            registry.expose(counters.connectionsRefused, as: .intakeConnectionsRefused, labels)
            registry.expose(counters.connectionsClosed, as: .intakeConnectionsClosed, labels)
            registry.expose(counters.authenticationsFailed, as: .intakeAuthenticationsFailed, labels)
            registry.expose(counters.rateLimited, as: .intakeRateLimited, labels)
            registry.expose(counters.connectionsOpen, as: .intakeConnectionsOpen, labels)
            registry.expose(counters.handshakes, as: .tlsHandshakes, labels)
            for failure in TLSFailure.allCases {
                registry.expose(
                    counters.handshakeFailures(failure), as: .tlsHandshakeFailures,
                    [.transport: transport.description, .reason: failure.rawValue])
            }
        }
        for kind in RecordKind.allCases {
            registry.expose(intake.accepted(kind), as: .intakeLinesAccepted, [.kind: kind.description])
            registry.expose(intake.sampledOut(kind), as: .intakeLinesSampledOut, [.kind: kind.description])
        }
        for code in RefusalCode.allCases {
            registry.expose(intake.refused(code), as: .intakeLinesRefused, [.code: code.rawValue])
        }
        for action in FieldAction.allCases {
            registry.expose(intake.fields(action), as: .intakeFieldsTreated, [.action: action.rawValue])
        }
        for route in HTTPRoute.allCases {
            for statusClass in 1...5 {
                registry.expose(
                    intake.requests(route, statusClass: statusClass), as: .httpRequests,
                    [.route: route.description, .status: "\(statusClass)xx"])
            }
        }
    }

    /// When the certificate in force ends. `certificates`: nil without TLS.
    func observeCertificates(_ certificates: TLSCertificates?) {
        registry.observe(.tlsCertificateExpiry) { Double(certificates?.facts.validUntil ?? 0) }
    }

    /// The newest backups, as the folder shows them.
    func observeBackups(_ watch: BackupWatch) {
        for kind in BackupName.Kind.allCases {
            let labels: PrometheusRegistry.Labels = [.kind: kind.rawValue]
            registry.observe(.backups, labels) { Double(watch.look(at: kind).count) }
            registry.observe(.backupLastTimestamp, labels) { watch.look(at: kind).begunAt }
            registry.observe(.backupLastBytes, labels) { Double(watch.look(at: kind).bytes) }
        }
        registry.observe(.backupWALLastTimestamp) { watch.walArchivedAt }
    }

    /// What is held for clients.
    func observeMemory(_ memory: MemoryBudget) {
        registry.observe(.memoryBudget) { Double(memory.bytesMax) }
        registry.observe(.memoryUsed) { Double(memory.usedBytes) }
        for use in MemoryBudget.Use.allCases {
            registry.observe(.memoryRefused, [.reason: use.rawValue]) { Double(memory.refused(use)) }
        }
    }

    /// `retain`: `spool.retain`.
    func observeRetention(_ retain: Duration) {
        registry.observe(.spoolRetain) { retain / .seconds(1) }
    }

    /// What opens, and how old that knowledge is.
    func observeKeys(_ ring: KeyRing) {
        let keys = keys
        registry.observe(.accessKeysInForce) { Double(ring.count) }
        registry.observe(.accessKeysAge) { keys.age(at: .now) / .seconds(1) }
        registry.expose(keys.failures, as: .accessKeyFailures)
    }

    private func observeReads() {
        let reads = reads
        registry.expose(reads.connectionsIdle, as: .readConnectionsIdle)
        registry.expose(reads.connectionsBusy, as: .readConnectionsBusy)
        registry.expose(reads.requestsWaiting, as: .readRequestsWaiting)
        for refusal in ReadRefusal.allCases {
            registry.expose(reads.refused(refusal), as: .readRefused, [.reason: refusal.rawValue])
        }
    }

    /// How far each replica is behind, and who is read.
    func observeReplicas(_ servers: ReadServers) {
        let counts = servers.metrics
        registry.expose(counts.chosen(0), as: .readChosen, [.replica: "primary"])
        for replica in 1..<counts.replicas + 1 {
            let labels: PrometheusRegistry.Labels = [.replica: "\(replica)"]
            registry.expose(counts.chosen(replica), as: .readChosen, labels)
            registry.observe(.readReplicaLag, labels) { servers.standing(of: replica).lag / .seconds(1) }
            registry.observe(.readReplicaUp, labels) { servers.standing(of: replica).isRead ? 1 : 0 }
        }
    }

    private func observeSpool(_ channel: RecordChannel, directory: String) {
        let spool = spool
        for kind in RecordKind.allCases {
            let appended = spool.appended(kind)
            let labels: PrometheusRegistry.Labels = [.kind: kind.description]
            registry.expose(appended.records, as: .spoolAppendedRecords, labels)
            registry.expose(appended.lines, as: .spoolAppendedLines, labels)
            registry.expose(spool.recovered(kind), as: .spoolRecoveredLines, labels)
            registry.expose(appended.bytes, as: .spoolAppendedBytes, labels)
        }
        registry.expose(spool.groups, as: .spoolGroups)
        registry.expose(spool.faults, as: .spoolFaults)
        registry.expose(spool.damaged, as: .spoolDamaged)
        registry.expose(spool.refusedFull, as: .spoolRefused, [.reason: SpoolRefusal.spoolFull.rawValue])
        registry.expose(spool.refusedFailed, as: .spoolRefused, [.reason: SpoolRefusal.spoolFailed.rawValue])
        registry.observe(.spoolRefusing) { channel.refusal == nil ? 0 : 1 }
        registry.observe(.spoolFreeBytes) { Double((try? PosixFileSystem().freeBytes(at: directory)) ?? 0) }
        registry.observe(.spoolQueueBytes) { Double(channel.waitingBytes) }
        registry.expose(spool.segments, as: .spoolSegments)
        registry.expose(spool.retired, as: .spoolSegmentsRetired)
        registry.expose(spool.retiredEarly, as: .spoolSegmentsRetiredEarly)
        registry.expose(spool.segmentBytes, as: .spoolBytes)
    }

    private func observeWriter(_ extents: ExtentChannel) {
        observe("event") { $0.events }
        observe("conversation") { $0.conversations }
        let writer = writer
        registry.expose(writer.refused, as: .writerLinesRefused)
        registry.expose(writer.batches, as: .writerBatches)
        for reason in WriterMetrics.retryReasons {
            registry.expose(writer.retries(reason), as: .writerRetries, [.reason: reason.rawValue])
        }
        registry.expose(writer.parked, as: .writerParked)
        registry.expose(writer.unfoldedBatches, as: .writerUnfolded)
        registry.expose(writer.joinedRows, as: .writerJoined)
        registry.expose(writer.deadlocks, as: .writerDeadlocks)
        registry.expose(writer.droppedLetters, as: .writerDroppedLetters)
        registry.observe(.writerWaitingLines) { Double(extents.waitingCount) }
        let latest = uncommitted
        for (index, kind) in (RecordKind.allCases.map(\.description) + ["unread"]).enumerated() {
            registry.observe(.spoolUncommittedLines, [.kind: kind]) { Double(latest()[index]) }
        }
        registry.observe(.conservationDifference) { [self] in Double(conservationDifference) }
        registry.observe(.writerStopped) { writer.writing.isStopped ? 1 : 0 }
        registry.expose(writer.stuckBatches, as: .writerStuckBatches)
        registry.observe(.writerStalled) { writer.writing.state.isWriting ? 0 : 1 }
        registry.observe(.writerStalledSeconds) {
            let state = writer.writing.state
            guard !state.isWriting, let since = state.stall?.since else { return 0 }
            return max(0, Double(Timestamp.now.microseconds - since.microseconds) / 1e6)
        }
        registry.observe(.spoolRetentionBlocked) { writer.isRetentionBlocked.load(ordering: .relaxed) ? 1 : 0 }
        registry.observe(.standbyLag) { (writer.slowestStandby.withLock { $0?.lag } ?? .zero) / .seconds(1) }
        registry.observe(.postgresqlUp) { writer.isDatabaseUp.load(ordering: .relaxed) ? 1 : 0 }
        registry.observe(.leader, [.task: "cleaning"]) { writer.isCleaner.load(ordering: .relaxed) ? 1 : 0 }
        registry.observe(.partitionsMonthsAhead) { Double(writer.monthsAhead(at: Timestamp.now.microseconds)) }
        registry.observe(.partitionsCleaningWait) {
            writer.cleaningDueSince.withLock { $0 }.map { (.now - $0) / .seconds(1) } ?? 0
        }
    }

    private func observeOutbox() {
        let outbox = outbox
        registry.expose(outbox.isHolder, as: .leader, [.task: "outbox"])
        registry.expose(outbox.waiting, as: .outboxWaitingRows)
        registry.expose(outbox.delivered, as: .outboxDeliveredRows)
        registry.expose(outbox.refused, as: .outboxRefusedRows)
        registry.expose(months.overdue, as: .partitionsMonthsOverdue)
        registry.expose(months.retired, as: .partitionsMonthsRetired)
        registry.expose(months.closed, as: .partitionsMonthsClosed)
        registry.expose(months.failures, as: .partitionsRetirementFailures)
        registry.expose(months.archivedBytes, as: .archiveBytesWritten)
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
        registry.expose(counts.committed, as: .writerLinesCommitted, [.kind: kind])
        registry.expose(counts.duplicates, as: .writerLinesDuplicate, [.kind: kind])
        registry.expose(counts.dead, as: .writerLinesDead, [.kind: kind])
    }

    /// Lines in the spool and not in the database, by kind, and last those whose kind is not known: of an earlier run,
    /// not yet seen by the scan that queues them. What was appended or recovered, less what is in the ledger.
    private var uncommitted: @Sendable () -> [Int] {
        { [self] in
            let uncommitted = writer.uncommitted()
            let kinds = unsettled.map { max(0, $0) }
            let unread = max(0, uncommitted.count - kinds.reduce(0, +))
            return kinds + [min(unread, uncommitted.earlierCount)]
        }
    }

    /// What was appended or recovered, less what is counted as being in the ledger, by kind.
    private var unsettled: [Int] {
        func kind(_ kind: RecordKind, _ inLedger: Int) -> Int {
            spool.appended(kind).lines.value + spool.recovered(kind).value - inLedger
        }
        return [
            kind(.event, Self.inLedger(writer.events)), kind(.conversation, Self.inLedger(writer.conversations)),
            kind(.refused, writer.refused.value),
        ]
    }

    /// By how many lines the counters and the sequences in spool and ledger differ. Of an earlier run's lines the counters
    /// may know or not.
    ///
    /// Both are read while lines come and go: what is seen once is not yet a difference.
    var conservationDifference: Int {
        var nearest: Int?
        for _ in 0..<3 {
            let sequences = writer.uncommitted()
            let counted = unsettled.reduce(0, +)
            let difference =
                counted > sequences.count
                ? counted - sequences.count : min(0, counted - (sequences.count - sequences.earlierCount))
            if difference == 0 { return 0 }
            if abs(difference) < abs(nearest ?? .max) { nearest = difference }
        }
        return nearest ?? 0
    }

    private static func inLedger(_ counts: WriterMetrics.Kind) -> Int {
        counts.committed.value + counts.duplicates.value + counts.dead.value
    }
}
