import Logging
package import MillraceEvent
import MillracePostgres
import MillraceTelemetry

/// What a daemon tells of itself besides what its writers know.
package struct DaemonFacts: Sendable {
    /// Where it listens now: `tcp 127.0.0.1:7171`.
    package var listeners: @Sendable () -> [String]
    /// When the oldest line that is not known to be in the database was received; nil: there is none, or it is not known.
    package var oldestWaitingAt: @Sendable () -> Timestamp?

    package init(
        listeners: @escaping @Sendable () -> [String] = { [] },
        oldestWaitingAt: @escaping @Sendable () -> Timestamp? = { nil }
    ) {
        self.listeners = listeners
        self.oldestWaitingAt = oldestWaitingAt
    }
}

/// Keeps the daemon's row of `public.daemons`: soon after something changed, and seldom while nothing does, so that a
/// database at rest stays at rest; and within a second when somebody asks (`DaemonTable.ask`). Whether the daemon is there is seen by its session's lock. Blocks; lives on the
/// ledger's thread.
struct DaemonPresence {
    /// Of `database.presence_interval`, while nothing changes.
    private static let restFactor = 12
    private static let reportInterval = Duration.seconds(60)
    /// Between two looks whether somebody asks.
    private static let questionInterval = Duration.seconds(1)

    private let logger: Logger
    private var due = ContinuousClock.now
    private var restDue = ContinuousClock.now
    private var questionDue = ContinuousClock.now
    /// nil: the server may have another row.
    private var told: DaemonRow?
    private var lastReport: ContinuousClock.Instant?

    init(logger: Logger) {
        self.logger = logger
    }

    /// The server may be another one than before.
    mutating func forgetTold() {
        told = nil
        due = .now
        questionDue = .now
    }

    /// Does nothing before it is time again. That the row can't be written stops nothing: it is logged, once in a while.
    mutating func tell(
        _ row: () -> DaemonRow, of spool: UniqueID, every interval: Duration, on connection: PostgresConnection
    ) throws(PostgresError) {
        // Before the row is made, so that it tells of what was before the question.
        let question = try question(to: spool, on: connection)
        guard question != nil || ContinuousClock.now >= due else { return }
        due = .now + interval
        let row = row()
        guard question != nil || row != told || ContinuousClock.now >= restDue else { return }
        restDue = .now + interval * Self.restFactor
        if try write(row, due: interval * (Self.restFactor + 1), answering: question, on: connection) { told = row }
    }

    private mutating func question(
        to spool: UniqueID, on connection: PostgresConnection
    ) throws(PostgresError) -> DaemonQuestion? {
        guard ContinuousClock.now >= questionDue else { return nil }
        questionDue = .now + Self.questionInterval
        return try reporting(on: connection) { () throws(PostgresError) in
            try DaemonTable(connection: connection).question(to: spool)
        } ?? nil
    }

    /// Tells that the daemon ends.
    mutating func tellStopped(_ row: DaemonRow, on connection: PostgresConnection) throws(PostgresError) {
        _ = try write(row, due: .zero, hasStopped: true, answering: nil, on: connection)
    }

    private mutating func write(
        _ row: DaemonRow, due: Duration, hasStopped: Bool = false, answering question: DaemonQuestion?,
        on connection: PostgresConnection
    ) throws(PostgresError) -> Bool {
        try reporting(on: connection) { () throws(PostgresError) in
            try DaemonTable(connection: connection).write(
                row, due: due, hasStopped: hasStopped, answering: question)
        } != nil
    }

    /// nil, once in a while logged, where the server refuses it.
    private mutating func reporting<Answer>(
        on connection: PostgresConnection, _ body: () throws(PostgresError) -> Answer
    ) throws(PostgresError) -> Answer? {
        do throws(PostgresError) {
            return try body()
        } catch {
            guard error.code == .serverError, connection.isUsable else { throw error }
            if lastReport.map({ $0.duration(to: .now) >= Self.reportInterval }) ?? true {
                lastReport = .now
                logger.warning("own row of public.daemons not written", metadata: error.metadata)
            }
            return nil
        }
    }
}
