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

    private static let postCount = 50
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
            let pause = Duration.seconds(1) * Self.postCount / perSecond
            var number = 0
            while !state.isStopping {
                let lines = (0..<Self.postCount).map { index -> String in
                    number += 1
                    // One in ten is late.
                    return index % 10 == 0
                        ? RetiredMonths.event(number, in: past[number / 10 % past.count], type: "late")
                        : Mishap.event("now", #","id":"\#(UniqueID.random())""#)
                }
                let begun = ContinuousClock.now
                let answer = try client.postEvents(Array((lines.joined(separator: "\n") + "\n").utf8))
                state.sent(Self.postCount, isTaken: answer.status == 202)
                let left = pause - (ContinuousClock.now - begun)
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
                    WHERE NOT lock.granted AND lock.waitstart IS NOT NULL AND activity.application_name LIKE 'millrace%writer%'
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

    /// Ends it. Returns the events that were answered 202, those that were not, and the seconds that a writer waited for a
    /// lock at most, as seen every 20 ms.
    func stop() throws -> (sent: Int, refused: Int, longestWait: Double) {
        box.state.withLock { $0.isStopping = true }
        try sender.join()
        try watcher.join()
        return box.state.withLock { ($0.sent, $0.refused, $0.longestWait) }
    }
}
