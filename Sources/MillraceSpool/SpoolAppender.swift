internal import Logging
internal import MillraceChannels
internal import MillraceEvent
internal import MillraceTelemetry

/// Takes submissions, makes groups of them, and answers. All of the spool's work on its own thread; the service around
/// it only waits. Every call blocks on the disk.
final class SpoolAppender {
    /// Written to see whether there is room again.
    private static let probeBytes = 1 << 20

    private let configuration: SpoolConfiguration
    private let fileSystem: any FileSystem
    private let channel: RecordChannel
    private let extents: ExtentChannel
    private let board: CommitBoard
    private let store: SegmentStore
    private let metrics: SpoolMetrics
    private let logger: Logger
    private let writer: SegmentWriter
    private var health: SpoolHealthStateMachine
    private var lastEarlyReport: ContinuousClock.Instant?
    private static let reportInterval = Duration.seconds(60)

    init(
        _ recovered: RecoveredSpool, _ configuration: SpoolConfiguration, store: SegmentStore, channel: RecordChannel,
        extents: ExtentChannel, board: CommitBoard,
        metrics: SpoolMetrics, logger: Logger
    ) throws(SpoolError) {
        self.configuration = configuration
        fileSystem = store.fileSystem
        self.channel = channel
        self.extents = extents
        self.board = board
        self.store = store
        self.metrics = metrics
        self.logger = logger
        writer = try SegmentWriter(recovered, configuration, store, metrics)
        health = SpoolHealthStateMachine(retry: configuration.fullRetry)
        updateGauges()
        try? fileSystem.remove("\(configuration.directory)/\(SegmentName.probe)")
        for name in (try? fileSystem.list(configuration.directory)) ?? [] where name.hasSuffix(SegmentName.rewritten) {
            try? fileSystem.remove("\(configuration.directory)/\(name)")
        }
    }

    /// Makes submissions durable in groups and answers each one.
    func append(_ submissions: [Submission]) {
        var rest = submissions[...]
        while let first = rest.first {
            var bytes = first.byteCount
            var count = 1
            while let next = rest.dropFirst(count).first, bytes + next.byteCount <= configuration.groupBytes {
                bytes += next.byteCount
                count += 1
            }
            commit(rest.prefix(count), bytes: bytes)
            rest = rest.dropFirst(count)
        }
    }

    private func commit(_ group: ArraySlice<Submission>, bytes: Int) {
        if let refusal = health.refusal { return fail(group, refusal) }
        let takenAt = Timestamp.now
        do {
            try admit(bytes)
            if writer.needsSegment(for: bytes) { try writer.openSegment() }
            let written = try writer.append(group)
            publish(group, written, takenAt: takenAt)
        } catch {
            fault(error)
            fail(group, error.code == .full ? .spoolFull : .spoolFailed)
        }
    }

    /// Order matters: whoever waits for the commit is on the board before a writer can see the extent.
    private func publish(_ group: ArraySlice<Submission>, _ written: SegmentWriter.Written, takenAt: Timestamp) {
        count(group, written, takenAt: takenAt)
        var isAwaited = false
        for (submission, sequences) in zip(group, written.sequences)
        where submission.acknowledgement == .committed && !sequences.isEmpty {
            board.wait(for: sequences, reportsMax: submission.reportsMax, reply: submission.reply)
            submission.onDurable?(sequences)
            isAwaited = true
        }
        for extent in written.extents { extents.publish(extent, isAwaited: isAwaited) }
        for (submission, sequences) in zip(group, written.sequences) {
            switch submission.acknowledgement {
            case .spooled: submission.reply(.durable(sequences))
            case .committed where sequences.isEmpty: submission.reply(.committed(sequences, CommittedLines()))
            case .committed: continue
            }
        }
    }

    private func fail(_ group: ArraySlice<Submission>, _ refusal: SpoolRefusal) {
        switch refusal {
        case .spoolFull: metrics.refusedFull.add(group.count)
        case .spoolFailed, .draining: metrics.refusedFailed.add(group.count)
        }
        for submission in group { submission.reply(.failed(refusal)) }
    }

    private func count(_ group: ArraySlice<Submission>, _ written: SegmentWriter.Written, takenAt: Timestamp) {
        metrics.groups.add(1)
        var arrivals: [(receivedAt: Timestamp, count: Int)] = []
        for record in group.lazy.flatMap(\.records) {
            let appended = metrics.appended(record.kind)
            appended.records.add(1)
            appended.lines.add(record.count)
            appended.bytes.add(RecordHeader.byteCount + record.bytes.count)
            if arrivals.last?.receivedAt == record.receivedAt {
                arrivals[arrivals.count - 1].count += record.count
            } else {
                arrivals.append((record.receivedAt, record.count))
            }
        }
        if let first = written.sequences.first, let last = written.sequences.last {
            metrics.onGroup(
                SpoolGroup(
                    sequences: first.lowerBound..<last.upperBound, arrivals: arrivals, takenAt: takenAt,
                    durableAt: .now, sync: written.sync))
        }
        updateGauges()
    }

    private func updateGauges() {
        metrics.segmentBytes.set(store.fileBytes)
        metrics.segments.set(store.catalogue.segments.count)
    }
}

extension SpoolAppender {
    /// Retires what may go, and tries again when the spool takes nothing. Called every `fullRetry`.
    func maintain(now: ContinuousClock.Instant) {
        defer { updateGauges() }
        var hasRoom = retire(store.catalogue.due) > 0
        if makeRoom(now) { hasRoom = true }
        guard health.isRetryDue(now) || (hasRoom && health.refusal == .spoolFull) else { return }
        attempt { () throws(SpoolError) in
            try admit(min(configuration.groupBytes, configuration.segmentBytes))
            try probe()
            if !writer.isOpen { try writer.openSegment() }
        }
    }

    func close() {
        writer.close()
    }

    /// Ends the newest segment, so that the next group begins another one.
    func beginSegment() throws(SpoolError) {
        try admit(SegmentHeader.byteCount)
        try writer.openSegment()
    }

    /// Above half of `bytesMax`, and when the disk has no room, settled segments go before their time, and it is said: a
    /// standby that is promoted later may lack what was in them.
    private func makeRoom(_ now: ContinuousClock.Instant) -> Bool {
        let wanted = max(
            store.fileBytes - configuration.bytes / 2,
            health.refusal == .spoolFull ? configuration.segmentBytes : 0)
        guard wanted > 0 else { return false }
        let count = retire(store.catalogue.early(toFree: wanted))
        guard count > 0 else { return false }
        metrics.retiredEarly.add(count)
        if lastEarlyReport.map({ now - $0 >= Self.reportInterval }) ?? true {
            lastEarlyReport = now
            logger.warning(
                "segments retired before spool.retain",
                metadata: [
                    .segments: "\(metrics.retiredEarly.value)",
                    .hint: "raise spool.bytes, or lower spool.retain to what your standbys lag behind at most",
                ])
        }
        return true
    }

    /// Removes these segments' files. Returns how many went.
    private func retire(_ numbers: [UInt64]) -> Int {
        var retired: [UInt64] = []
        for number in numbers {
            do {
                try fileSystem.remove(store.path(number))
            } catch  where error.isMissing {
            } catch {
                logger.error(
                    "segment could not be removed",
                    metadata: [.segment: "\(number)", .error: "\(error)", .hint: "check the spool directory's mode"])
                continue
            }
            retired.append(number)
        }
        guard !retired.isEmpty else { return 0 }
        // A segment that comes back after a crash is settled in the ledger, and goes again.
        try? fileSystem.synchronizeDirectory(configuration.directory)
        for number in retired { store.segmentRetired(number) }
        metrics.retired.add(retired.count)
        return retired.count
    }

    /// Throws `.full` when `byteCount` more would pass the spool's limit or the disk's reserve.
    private func admit(_ byteCount: Int) throws(SpoolError) {
        let spoolBytes = store.fileBytes
        if spoolBytes + byteCount > configuration.bytes {
            throw SpoolError(
                .full, path: configuration.directory,
                hint: "the spool holds \(spoolBytes) of \(configuration.bytes) bytes: bring PostgreSQL back, "
                    + "or raise spool.bytes")
        }
        guard configuration.freeBytes > 0 else { return }
        let free: Int
        do {
            free = try fileSystem.freeBytes(at: configuration.directory)
        } catch {
            throw SpoolError(.writeFailed, path: configuration.directory, cause: error)
        }
        if free - byteCount < configuration.freeBytes {
            throw SpoolError(
                .full, path: configuration.directory,
                hint: "\(free) bytes are free on its disk, \(configuration.freeBytes) stay reserved: make room")
        }
    }

    /// Shows that the disk takes bytes, before senders are told so.
    private func probe() throws(SpoolError) {
        let path = "\(configuration.directory)/\(SegmentName.probe)"
        do {
            defer { try? fileSystem.remove(path) }
            let file = try fileSystem.open(path, .replace)
            defer { fileSystem.close(file) }
            let bytes = ReadBuffer(capacity: min(Self.probeBytes, configuration.groupBytes))
            try fileSystem.writeAll(UnsafeRawBufferPointer(bytes.bytes), to: file, at: 0)
            try fileSystem.synchronize(file)
        } catch {
            throw SpoolError(error, writing: path)
        }
    }

    /// A group failed: goes on in a new segment, or refuses.
    private func fault(_ error: SpoolError) {
        guard error.code != .full else { return refuse(error) }
        metrics.faults.add(1)
        logger.error("spool write failed", metadata: metadata(error))
        if !writer.isOpen {
            attempt { () throws(SpoolError) in try writer.openSegment() }
        } else {
            refuse(error)
        }
    }

    private func attempt(_ body: () throws(SpoolError) -> Void) {
        do {
            try body()
            guard health.attemptSucceeded() == .accept else { return }
            channel.refuse(nil)
            logger.notice("spool takes events again", metadata: [.directory: "\(configuration.directory)"])
        } catch {
            refuse(error)
        }
    }

    private func refuse(_ error: SpoolError) {
        let action = error.code == .full ? health.spaceRanOut(.now) : health.diskFailed(.now)
        guard case .refuse(let refusal) = action else { return }
        channel.refuse(refusal)
        switch refusal {
        case .spoolFull: logger.warning("spool is full", metadata: metadata(error))
        case .spoolFailed, .draining: logger.error("spool takes nothing", metadata: metadata(error))
        }
    }

    private func metadata(_ error: SpoolError) -> Logger.Fields {
        var metadata: Logger.Fields = [
            .code: "\(error.code.rawValue)", .path: "\(error.path)", .hint: "\(error.hint)",
        ]
        if let cause = error.cause { metadata[.error] = "\(cause)" }
        return metadata
    }
}
