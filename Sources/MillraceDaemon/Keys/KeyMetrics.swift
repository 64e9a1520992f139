import MillraceEvent
import MillraceTelemetry
import Synchronization

/// What the refresh of the keys counts; read by `/metrics`.
final class KeyMetrics: Sendable {
    /// Looks that PostgreSQL did not answer.
    let failures = MetricCounter()
    private let confirmedAt = Atomic<Int64>(0)

    /// The keys are as PostgreSQL has them.
    func confirmed(at now: Timestamp) { confirmedAt.store(now.microseconds, ordering: .relaxed) }

    /// Since PostgreSQL confirmed the keys last; 0 before it ever did.
    func age(at now: Timestamp) -> Duration {
        let confirmedAt = confirmedAt.load(ordering: .relaxed)
        return confirmedAt == 0 ? .zero : .microseconds(max(0, now.microseconds - confirmedAt))
    }
}
