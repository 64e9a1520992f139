package import Logging
package import MillraceChannels
internal import MillraceEvent
package import MillracePostgres
package import MillraceTelemetry
import ServiceLifecycle
import Synchronization

/// The stage after the spool: the ledger's session and the writers, started and stopped as one.
///
/// On shutdown (intake and spool have ended by then) the writers go on until nothing is left, PostgreSQL is away, or
/// `drainLimit` is over; then every wait on the network is interrupted. What is left is in the spool and goes in after
/// the next start.
package struct WriterStage: Service {
    private let configuration: WriterConfiguration
    private let scheduler: BatchScheduler
    private let board: CommitBoard
    private let gate: Gate
    private let ledger: Ledger
    private let cleaning = CleaningGate()
    private let interrupt = PostgresInterrupt()
    private let metrics: WriterMetrics
    private let logger: Logger
    private let ledgerService: LedgerService
    private let maintenance: MaintenanceService
    private let watch: WritingWatch
    private let feed: FeedService
    private let writers: [WriterService]

    /// `feed`: who watches what is committed.
    package init(
        configuration live: Live<WriterConfiguration>, primary: PrimaryGuard, spool: any SpoolReader,
        extents: ExtentChannel, board: CommitBoard, metrics: WriterMetrics, feed: EventFeed = EventFeed(),
        facts: DaemonFacts = DaemonFacts(), logger: Logger
    ) {
        var configuration = live.value
        precondition(
            configuration.database.writers <= WriterConfiguration.writersMax, "more writers than advisory locks")
        configuration.run = RunName(spool: spool.spoolID, startedAt: .now)
        self.configuration = configuration
        self.board = board
        self.metrics = metrics
        self.logger = logger
        let database = configuration.database
        let scheduler = BatchScheduler(
            BatchScheduleStateMachine(
                rowsMax: database.batchRows, writers: database.writers, joinRows: database.joinRows,
                pace: database.pace,
                stuckMax: database.stuckBatchesMax), of: extents)
        self.scheduler = scheduler
        let settings = Live(configuration)
        live.onChange { [run = configuration.run] configuration in
            var configuration = configuration
            configuration.run = run
            settings.replace(with: configuration)
            let database = configuration.database
            extents.setBounds(rowsMax: database.batchRows, bytesMax: database.batchBytes)
            scheduler.setBounds(
                rowsMax: database.batchRows, joinRows: database.joinRows, pace: database.pace,
                stuckMax: database.stuckBatchesMax)
        }
        let ledger = Ledger(liveStart: spool.runStarts.last ?? 0)
        // Whether PostgreSQL takes batches. The ledger's session opens it; a writer that loses its connection closes it, so
        // that only one connection probes while the database is down.
        let gate = Gate(isOpen: false) { isOpen in
            metrics.isDatabaseUp.store(isOpen, ordering: .relaxed)
            scheduler.setOpen(isOpen)
        }
        self.ledger = ledger
        self.gate = gate
        ledgerService = LedgerService(
            settings: settings, primary: primary, ledger: ledger, gate: gate, spool: spool, extents: extents,
            scheduler: scheduler, interrupt: interrupt, metrics: metrics, facts: facts,
            logger: logger
        )
        maintenance = MaintenanceService(
            configuration: configuration, primary: primary, gate: gate, cleaning: cleaning, interrupt: interrupt,
            metrics: metrics, logger: logger
        )
        watch = WritingWatch(monitor: metrics.writing, logger: logger) {
            // Before the ledger has been read, what an earlier run left is not queued.
            scheduler.waitingCount + metrics.linesInFlight.value
                + (gate.isOpen ? 0 : ledger.uncommitted(of: spool.retainedSequences).earlierCount)
        }
        metrics.setUncommitted { ledger.uncommitted(of: spool.retainedSequences) }
        let stuck = StuckBatches(
            configuration: configuration, spool: spool, scheduler: scheduler, metrics: metrics)
        let shown = FeedService(feed, configuration.feed, spool: spool, logger: logger)
        self.feed = shown
        metrics.activities.set(writers: configuration.database.writers)
        writers = (0..<configuration.database.writers).map { [interrupt, cleaning] index in
            WriterService(
                index: index, settings: settings, primary: primary, spool: spool,
                scheduler: scheduler, board: board, ledger: ledger, gate: gate, cleaning: cleaning, stuck: stuck,
                interrupt: interrupt, metrics: metrics, feed: shown, logger: logger
            )
        }
    }

    /// Runs until a graceful shutdown has been drained or the task is cancelled. Throws what ends the ledger's session, and
    /// stops the writers before.
    package func run() async throws {
        try await withThrowingTaskGroup { group in
            group.addTask { try await ledgerService.run() }
            group.addTask { await maintenance.run() }
            group.addTask { await scheduler.keepTime() }
            group.addTask { await watch.run() }
            group.addTask { await feed.run() }
            for writer in writers { group.addTask { await writer.run() } }
            group.addTask {
                // Ends by cancellation too; then there is nothing to drain for.
                try? await gracefulShutdown()
                await drain()
                stop()
            }
            do {
                // Not `waitForAll`, which waits for every child before it throws the first one's error.
                while try await group.next() != nil {}
            } catch {
                stop()
                throw error
            }
        }
    }

    /// How long the end of the daemon is waited to be told in `public.daemons`.
    private static let farewellLimit = Duration.seconds(1)

    private func drain() async {
        scheduler.beginDrain()
        let deadline = ContinuousClock.now + configuration.database.drainLimit
        while gate.isOpen, ContinuousClock.now < deadline, !Task.isCancelled, !scheduler.isDrained {
            try? await Task.sleep(for: .milliseconds(10))
        }
        let left = scheduler.waitingCount
        if left > 0 {
            logger.notice(
                "lines left in the spool", metadata: [.lines: "\(left)", .hint: "the next start writes them"])
        }
        ledger.leave()
        let end = ContinuousClock.now + Self.farewellLimit
        while gate.isOpen, ContinuousClock.now < end, !Task.isCancelled, ledger.isLeaving {
            try? await Task.sleep(for: .milliseconds(5))
        }
    }

    private func stop() {
        scheduler.finish()
        gate.finish()
        cleaning.finish()
        interrupt.raise()
        ledger.stop()
        maintenance.stop()
        watch.stop()
        feed.stop()
        board.finish()
    }
}

extension DatabaseConfiguration {
    fileprivate var pace: BatchPace { BatchPace(interval: batchInterval, smallInterval: smallBatchInterval) }
}
