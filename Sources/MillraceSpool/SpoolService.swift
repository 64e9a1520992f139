package import Logging
package import MillraceEvent
internal import ServiceLifecycle
internal import Synchronization

/// The one place where durability is promised.
///
/// In: submissions, from the record channel. Out: their answers; extents, to the extent channel; waits, on the commit
/// board.
///
/// Invariants
/// 1. A submission is answered once, and as kept only after one `fdatasync` covered all of it. It is whole in one
///    group, and a group is whole in one segment.
/// 2. At most one group is in flight, of `groupBytesMax` bytes unless one submission is larger.
/// 3. Sequences ascend and are never given twice, whatever failed; they are left out between segments only.
/// 4. Who waits for a commit is on the board before the extent is published; extents are published in order.
/// 5. A file whose write or sync failed is never written again, except that missing space is mended by cutting.
/// 6. A segment is removed only after every sequence in it was settled, and never the newest.
///
/// Crash: what was answered is on disk. `SpoolRecovery` cuts a torn tail at the next start.
/// Backpressure: the record channel is bounded by bytes; while the disk is full or failed the channel refuses, the
/// service tries again every `fullRetry` (with back-off for a failed disk), and opens again by itself.
/// Shutdown: finishes the channel, makes durable and answers all that was received, closes the segment and returns.
/// The store stays readable and the directory locked until the service is released, for the writers to finish.
package actor SpoolService: Service {
    /// Reads what the spool holds.
    package nonisolated let store: SegmentStore
    nonisolated let executor = ThreadExecutor(name: "spool")
    private nonisolated let settled = Mutex(SequenceSet())
    private let lock: SpoolLock
    let appender: SpoolAppender
    private let channel: RecordChannel
    private let interval: Duration

    /// Makes or recovers the spool in `configuration.directory`; blocks on the disk. Throws when another process has
    /// it, when it is not usable, or when nothing can be known about it; a full disk is no reason, it heals later.
    package init(
        _ configuration: SpoolConfiguration, channel: RecordChannel, extents: ExtentChannel, board: CommitBoard,
        metrics: SpoolMetrics, logger: Logger, fileSystem: any FileSystem = PosixFileSystem()
    ) throws(SpoolError) {
        let directory = configuration.directory
        do {
            try fileSystem.makeDirectories(directory)
        } catch {
            throw SpoolError(.directoryUnusable, path: directory, cause: error)
        }
        lock = try SpoolLock(fileSystem, directory: directory)
        let keeper = DamageKeeper(fileSystem, directory: directory, metrics: metrics)
        let recovered = try SpoolRecovery(fileSystem: fileSystem, directory: directory, keeper: keeper).run()
        for finding in recovered.findings {
            logger.warning("spool recovery found damage", metadata: ["finding": "\(finding)"])
        }
        store = SegmentStore(recovered, fileSystem, directory: directory, keeper: keeper)
        appender = try SpoolAppender(
            recovered, configuration, fileSystem, store: store, channel: channel, extents: extents, board: board,
            metrics: metrics, logger: logger)
        logger.info(
            "spool opened",
            metadata: [
                "directory": "\(directory)", "spool_id": "\(recovered.spoolID)",
                "segments": "\(recovered.segments.count)", "next_sequence": "\(recovered.nextSequence)",
            ])
        self.channel = channel
        interval = configuration.fullRetry
    }

    package nonisolated var unownedExecutor: UnownedSerialExecutor { executor.asUnownedSerialExecutor() }

    /// Takes submissions until the channel is finished and drained.
    package func run() async throws {
        await withTaskCancellationOrGracefulShutdownHandler {
            await withTaskGroup(of: Void.self) { group in
                group.addTask { await self.maintain() }
                while case let submissions = await channel.nextAll(), !submissions.isEmpty {
                    appender.append(submissions)
                }
                group.cancelAll()
            }
        } onCancelOrGracefulShutdown: {
            self.channel.finish()
        }
        appender.close()
        executor.stop()
    }

    /// `range` is in the ledger and flushed there (or lost for good and reported): its segments may go. Any thread.
    package nonisolated func settle(_ range: Range<UInt64>) {
        settled.withLock { $0.insert(range) }
    }

    /// The ledger knows sequences up to `sequence`, excluded: the spool goes on there if it is behind. What lies between
    /// counts as lost, since it was on a segment that is gone. Call it before sequences are given out where that is
    /// possible: those given out before the call may be in the ledger already.
    package func raiseNextSequence(to sequence: UInt64) {
        appender.raise(to: sequence)
    }

    private func maintain() async {
        while !Task.isCancelled {
            try? await Task.sleep(for: interval)
            let ranges = settled.withLock { settled in
                defer { settled = SequenceSet() }
                return settled.ranges
            }
            appender.maintain(settled: ranges, now: .now)
        }
    }
}
