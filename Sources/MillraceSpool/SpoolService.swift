internal import AsyncAlgorithms
package import Logging
package import MillraceChannels
internal import MillraceThreads
internal import MillraceTelemetry
internal import ServiceLifecycle

/// The one place where durability is promised.
///
/// In: submissions, from the record channel. Out: their answers; extents, to the extent channel; waits, on the commit
/// board.
///
/// Invariants
/// 1. A submission is answered once, and as kept only after one `fdatasync` covered all of it. It is whole in one
///    group, and a group is whole in one segment.
/// 2. At most one group is in flight, of `groupBytesMax` bytes unless one submission is larger.
/// 3. Sequences ascend and are never given twice, whatever failed, and whatever copy of the spool is run where
///    (`SequenceEpoch`); they are left out between segments only.
/// 4. Who waits for a commit is on the board before the extent is published; extents are published in order.
/// 5. A file whose write or sync failed is never written again, except that missing space is made good by cutting.
/// 6. A segment is removed only after every sequence in it was settled, and never the newest. It is kept for `retain`
///    from then on; time in which the server was away does not count, and afterwards the time begins anew.
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
    private let lock: DirectoryLock
    let appender: SpoolAppender
    private let channel: RecordChannel
    private let interval: Duration

    /// Makes or recovers the spool in `configuration.directory`; blocks on the disk. Throws when another process has
    /// it, when it is not usable, or when nothing can be known about it; a full disk is no reason: the spool takes events
    /// once there is room.
    ///
    /// `epoch`: where this run begins; without one it goes on where the spool ended, which only tests want. Its first
    /// segment is made with its first group, so that starts alone leave no files.
    package init(
        _ configuration: SpoolConfiguration, epoch: SequenceEpoch? = nil, channel: RecordChannel,
        extents: ExtentChannel, board: CommitBoard, metrics: SpoolMetrics, logger: Logger,
        fileSystem: any FileSystem = PosixFileSystem()
    ) throws(SpoolError) {
        let directory = configuration.directory
        do {
            try fileSystem.makeDirectories(directory)
        } catch {
            throw SpoolError(.directoryUnusable, path: directory, cause: error)
        }
        lock = try DirectoryLock(fileSystem, directory: directory)
        let keeper = DamageKeeper(fileSystem, directory: directory, metrics: metrics)
        var recovered = try SpoolRecovery(fileSystem: fileSystem, directory: directory, keeper: keeper).run()
        if let epoch {
            var generator = SystemRandomNumberGenerator()
            recovered.beginsEpoch = true
            recovered.nextSequence = epoch.firstSequence(after: recovered.nextSequence, using: &generator)
        }
        for finding in recovered.findings {
            logger.warning("spool recovery found damage", metadata: [.finding: "\(finding)"])
        }
        store = SegmentStore(
            recovered, fileSystem, directory: directory, retain: configuration.retain, keeper: keeper)
        appender = try SpoolAppender(
            recovered, configuration, store: store, channel: channel, extents: extents, board: board,
            metrics: metrics, logger: logger)
        logger.info(
            "spool opened",
            metadata: [
                .directory: "\(directory)", .spoolID: "\(recovered.spoolID)",
                .segments: "\(recovered.segments.count)", .nextSequence: "\(recovered.nextSequence)",
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
                while case let submissions = await channel.next(), !submissions.isEmpty {
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

    private func maintain() async {
        for await _ in AsyncTimerSequence(interval: interval, clock: .continuous) { appender.maintain(now: .now) }
    }
}
