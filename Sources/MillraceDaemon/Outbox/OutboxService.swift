import Logging
import MillraceChannels
internal import MillraceThreads
import MillraceConfiguration
import MillraceEvent
import MillraceIntake
import MillracePostgres
import MillraceTelemetry
import MillraceTreatment
import MillraceWriter
import ServiceLifecycle

/// Takes the events that applications wrote into `public.outbox` in their own transactions, and hands them to the spool
/// as the intake does.
///
/// Enters: rows of the outbox, in order of (created_at, id). Leaves: records in the record channel; rows deleted.
///
/// Invariants
/// 1. A row is deleted only when its event is committed in `analytics_events`, or it is in `dead_letters`, or a rule samples
///    it out. Committed, not only durable in the spool: so whoever sees the outbox empty sees every event of it in the tables.
/// 2. An event is in `analytics_events` once: its identity is (id, created_at), so what is handed over again after a crash
///    before the delete is a duplicate that the writers drop.
/// 3. Exactly the rows handed over are deleted; what was committed meanwhile, with an earlier time too, comes next.
/// 4. No row blocks those after it: what the parser refuses goes the way of refused lines, and leaves the outbox.
/// 5. One daemon at a time takes rows, by an advisory lock of its session; another one takes over when it is gone. Two
///    for a moment, as when a network parts, do no harm by 2; a refused row may then be in `dead_letters` twice.
///
/// Crash: the rows are still there. Backpressure: one submission at a time; none while the spool refuses or PostgreSQL is
/// away. Shutdown: ends at once, wherever it waits; what is not deleted comes again after the next start.
actor OutboxService: Service {
    /// Time from one count of a long outbox to the next.
    private static let countInterval = Duration.seconds(5)

    private let executor = ThreadExecutor(name: "outbox")
    private let configuration: DaemonConfiguration
    private let primary: PrimaryGuard
    private let channel: RecordChannel
    private let metrics: OutboxMetrics
    private let intake: IntakeMetrics
    private let policy: @Sendable () -> LinePolicy?
    private let logger: Logger
    private let interrupt = PostgresInterrupt()
    private let parser = EventParser()
    private var table: OutboxTable?
    /// Whether `table`'s session is the one that takes rows.
    private var isHolder = false
    private var countDue = ContinuousClock.now

    nonisolated var unownedExecutor: UnownedSerialExecutor { executor.asUnownedSerialExecutor() }

    /// `policy`: what is done to events before they are handed over; asked for before each batch. `intake`: counts that.
    init(
        configuration: DaemonConfiguration, primary: PrimaryGuard, channel: RecordChannel, metrics: OutboxMetrics,
        logger: Logger, policy: @escaping @Sendable () -> LinePolicy?, intake: IntakeMetrics
    ) {
        self.configuration = configuration
        self.primary = primary
        self.channel = channel
        self.metrics = metrics
        self.intake = intake
        self.policy = policy
        self.logger = logger
    }

    /// Until graceful shutdown or cancellation.
    nonisolated func run() async {
        await cancelWhenGracefulShutdown {
            await withTaskCancellationHandler {
                await self.drain()
            } onCancel: {
                self.interrupt.raise()
            }
        }
    }

    private func drain() async {
        var backoff = Backoff(min: configuration.database.retryMin, max: configuration.database.retryMax)
        while !Task.isCancelled {
            do throws(PostgresError) {
                let isMore = try await takeRows()
                backoff.reset()
                if !isMore { try interrupt.pause(for: configuration.outbox.poll) }
            } catch {
                leave()
                metrics.waiting.set(0)
                if error.code == .interrupted { break }
                if backoff.attempts == 0 { logger.warning("outbox not read", metadata: Self.metadata(of: error)) }
                do throws(PostgresError) { try interrupt.pause(for: backoff.next()) } catch { break }
            }
        }
        leave()
        executor.stop()
    }

    /// One look at the outbox; true when more rows may be waiting.
    private func takeRows() async throws(PostgresError) -> Bool {
        guard channel.refusal == nil, let table = try connected() else { return false }
        let rows = try table.first(
            configuration.outbox.batchRows, lineBytesMax: configuration.limits.lineBytes,
            payloadTextBytesMax: configuration.limits.payloadTextBytes)
        guard !rows.isEmpty else {
            metrics.waiting.set(0)
            return false
        }
        try count(table, atLeast: rows.count)
        let batch = OutboxBatch(
            rows, limits: configuration.limits, eventLimits: configuration.eventLimits, policy: policy(),
            parser: parser, receivedAt: .now)
        batch.treated.forEach(intake.count)
        // All of them may be sampled out.
        switch batch.records.isEmpty ? .committed(0..<0, CommittedLines()) : await submit(batch.records) {
        case .committed:
            let deleted = try table.delete(rows)
            metrics.delivered.add(deleted)
            intake.sampledOut(.event).add(batch.sampledOut)
            metrics.refused.add(batch.refused)
            metrics.waiting.set(max(0, metrics.waiting.value - deleted))
            if batch.refused > 0 {
                logger.warning(
                    "outbox rows refused",
                    metadata: [.count: "\(batch.refused)", .hint: "millrace dead-letters list says why"])
            }
            // If that was all, what comes next may gather, or a row a time would be a transaction each.
            return OutboxTable.isCut(rows, at: configuration.outbox.batchRows)
        case .durable, .failed, nil:
            // The daemon stops, or the spool takes nothing: the rows are where they were.
            return false
        }
    }

    /// A session that holds the lock; nil while another daemon's does.
    private func connected() throws(PostgresError) -> OutboxTable? {
        let current: OutboxTable
        if let table, table.connection.isUsable {
            current = table
        } else {
            leave()
            let database = configuration.database
            let connection = try primary.connect(database.url.value) { (url) throws(PostgresError) in
                try PostgresConnection(
                    connectionString: url, applicationName: "millrace outbox", connectTimeout: database.connectTimeout,
                    statementTimeout: database.statementTimeout, interrupt: interrupt, logger: logger)
            }
            try Migrator.requireWhole(on: connection)
            current = OutboxTable(connection: connection)
            table = current
        }
        if !isHolder { isHolder = try current.lock() }
        metrics.isHolder.set(isHolder ? 1 : 0)
        return isHolder ? current : nil
    }

    /// Ends the session, and its lock with it.
    private func leave() {
        table = nil
        isHolder = false
        metrics.isHolder.set(0)
    }

    /// Counting reads all rows, so a long outbox is not counted each time.
    private func count(_ table: OutboxTable, atLeast rows: Int) throws(PostgresError) {
        let known = metrics.waiting.value
        guard rows >= configuration.outbox.batchRows, ContinuousClock.now >= countDue else {
            return metrics.waiting.set(max(known, rows))
        }
        metrics.waiting.set(try table.count())
        countDue = ContinuousClock.now + Self.countInterval
    }

    /// Hands the records over and waits until all are in PostgreSQL; nil when the service stops first.
    private func submit(_ records: [Record]) async -> Submission.Outcome? {
        guard !Task.isCancelled else { return nil }
        let (outcomes, answer) = AsyncStream<Submission.Outcome>.makeStream()
        channel.send(Submission(records: records, acknowledgement: .committed) { answer.yield($0) })
        return await outcomes.first { _ in true }
    }

    /// For a log line: never DETAIL, which quotes rows.
    private static func metadata(of error: PostgresError) -> Logger.Fields {
        var metadata: Logger.Fields = [.code: "\(error.code.rawValue)", .reason: "\(error.message)"]
        if !error.hint.isEmpty { metadata[.hint] = "\(error.hint)" }
        if let sqlState = error.sqlState { metadata[.sqlState] = "\(sqlState)" }
        return metadata
    }
}

/// What the outbox service counts; read by `/metrics`.
final class OutboxMetrics: Sendable {
    /// 1 while this daemon is the one that takes rows.
    let isHolder = MetricCounter()
    /// Rows that wait, as of the last look; 0 unless this daemon is the one that looks.
    let waiting = MetricCounter()
    /// Rows that are in PostgreSQL and were deleted.
    let delivered = MetricCounter()
    /// Of those, rows that are no events.
    let refused = MetricCounter()
}
