import Logging
import MillracePostgres
import MillraceTelemetry

/// Keeps the bounds of `dead_letters` for the maintenance: looks when there may be something to do, drops page after page,
/// and says so once a minute at most.
struct LetterKeeping {
    /// How often letters are looked at, unless the maintenance is more frequent, and where there is something new.
    private static let interval = Duration.seconds(10)
    private static let logInterval = Duration.seconds(60)
    /// Pages between two looks at the rest of the maintenance.
    private static let pagesMax = 20

    private let configuration: DeadLettersConfiguration
    private let maintenanceInterval: Duration
    private let metrics: WriterMetrics
    private let logger: Logger
    private var due = ContinuousClock.now
    /// When all is looked at, whether anything is new or not: letters age, and other daemons have some too.
    private var ageDue = ContinuousClock.now
    /// Of this daemon's refused lines, when they were last within bounds.
    private var refusedSeen = 0
    private var unsaid = RefusedLetters.Dropped()
    private var logDue = ContinuousClock.now

    init(configuration: DeadLettersConfiguration, maintenanceInterval: Duration, metrics: WriterMetrics, logger: Logger)
    {
        self.configuration = configuration
        self.maintenanceInterval = maintenanceInterval
        self.metrics = metrics
        self.logger = logger
    }

    /// Some pages, where it is time to; the rest follows at the next call. Blocks.
    mutating func run(
        on connection: PostgresConnection, timeout: Duration, now: ContinuousClock.Instant = .now
    ) throws(PostgresError) {
        let refused = metrics.refused.value
        guard now >= due, refused != refusedSeen || now >= ageDue else { return say(now) }
        let letters = RefusedLetters(connection: connection, configuration: configuration, timeout: timeout)
        var excess = try letters.excess()
        // Someone else drops, retries or purges them; or all pages were taken, and the rest follows at once.
        var isHeldUp = false
        for _ in 0..<Self.pagesMax where !excess.isNone && !isHeldUp {
            let dropped = try dropPage(of: letters, excess)
            excess.rows -= dropped.rows
            excess.bytes -= dropped.bytes
            excess.old -= dropped.rows
            isHeldUp = dropped.rows == 0
        }
        if excess.isNone {
            refusedSeen = refused
            ageDue = now + maintenanceInterval
        }
        if excess.isNone || isHeldUp { due = now + min(Self.interval, maintenanceInterval) }
        say(now)
    }

    /// None when someone holds one of them.
    private mutating func dropPage(
        of letters: RefusedLetters, _ excess: RefusedLetters.Excess
    ) throws(PostgresError) -> RefusedLetters.Dropped {
        do throws(PostgresError) {
            let dropped = try letters.dropPage(excess)
            metrics.droppedLetters.add(dropped.rows)
            unsaid.rows += dropped.rows
            unsaid.bytes += dropped.bytes
            return dropped
        } catch {
            guard error.sqlState == .lockNotAvailable else { throw error }
            return RefusedLetters.Dropped()
        }
    }

    private mutating func say(_ now: ContinuousClock.Instant) {
        guard unsaid.rows > 0, now >= logDue else { return }
        logger.warning(
            "dead letters dropped",
            metadata: [
                .count: "\(unsaid.rows)", .bytes: "\(unsaid.bytes)",
                .hint: """
                the oldest lines that the intake refused; see `millrace dead-letters list` for who sends them, and \
                dead_letters.retain, rows_max and bytes_max
                """,
            ])
        unsaid = RefusedLetters.Dropped()
        logDue = now + Self.logInterval
    }
}
