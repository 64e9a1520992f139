import MillraceEvent
import MillracePostgres
import MillraceTestSupport
import Synchronization

/// Sends events of now, and late ones of months that are over, until it is stopped; and looks how long writers wait for locks.
final class MonthIntake: Sendable {
    private struct State {
        var sent = 0
        var refused = 0
        var longestWait = 0.0
        var isStopping = false
    }

    /// Lines of a request, and how many of them are late.
    private static func counts(perSecond: Int) -> (lines: Int, late: Int) {
        perSecond > 1000 ? (perSecond / 20, perSecond / 1000) : (50, 5)
    }

    private let sender: BackgroundThread
    private let watcher: BackgroundThread

    /// `perSecond`: how many events, as far as the daemon takes them.
    init(_ months: RetiredMonths, perSecond: Int) {
        let past = months.months
        let daemon = months.daemon
        let database = months.mishap.installation.database
        let state = Box()
        box = state
        sender = BackgroundThread {
            let client = HTTPClient(daemon.http)
            let (postCount, lateCount) = Self.counts(perSecond: perSecond)
            let pause = Duration.seconds(1) * postCount / perSecond
            var number = 0
            // What was late is caught up with.
            var due = ContinuousClock.now
            while !state.isStopping {
                let lines = (0..<postCount).map { index -> String in
                    number += 1
                    return index < lateCount
                        ? RetiredMonths.event(number, in: past[number % past.count], type: "late")
                        : Mishap.event("now", #","id":"\#(UniqueID.random())""#)
                }
                let answer = try client.postEvents(Array((lines.joined(separator: "\n") + "\n").utf8))
                state.sent(postCount, isTaken: answer.status == 202)
                due += pause
                let left = due - ContinuousClock.now
                if left > .zero { _ = eventually(within: left) { state.isStopping } }
            }
        }
        watcher = BackgroundThread {
            let connection = try database.connect()
            while !state.isStopping {
                let wait = try connection.execute(
                    """
                    SELECT COALESCE(max(extract(epoch FROM clock_timestamp() - lock.waitstart) * 1000)::integer, 0)
                    FROM pg_locks AS lock
                    JOIN pg_stat_activity AS activity USING (pid)
                    WHERE NOT lock.granted
                        AND lock.waitstart IS NOT NULL
                        AND lock.locktype = 'relation'
                        AND activity.application_name LIKE 'millrace writer %'
                        AND activity.datname = current_database()
                    """)
                state.saw(Double(wait.int(0, 0) ?? 0) / 1000)
                _ = eventually(within: .milliseconds(20)) { state.isStopping }
            }
        }
    }

    /// What both threads share.
    private final class Box: Sendable {
        let state = Mutex(State())
        var isStopping: Bool { state.withLock { $0.isStopping } }

        func sent(_ count: Int, isTaken: Bool) {
            state.withLock {
                $0.sent += isTaken ? count : 0
                $0.refused += isTaken ? 0 : count
            }
        }

        func saw(_ wait: Double) { state.withLock { $0.longestWait = max($0.longestWait, wait) } }
    }

    private let box: Box

    /// Writers' sessions that the watcher finds.
    static let writersQuery =
        "SELECT count(*) FROM pg_stat_activity WHERE application_name LIKE 'millrace writer %' AND datname = current_database()"

    /// Ends it. Returns the events that were answered 202, those that were not, and the seconds that a writer waited for a
    /// table at most, as seen every 20 ms.
    func stop() throws -> (sent: Int, refused: Int, longestWait: Double) {
        box.state.withLock { $0.isStopping = true }
        try sender.join()
        try watcher.join()
        return box.state.withLock { ($0.sent, $0.refused, $0.longestWait) }
    }
}
