import Synchronization

/// What the outbox service counts; read by `/metrics`.
final class OutboxMetrics: Sendable {
    /// Rows that wait, as of the last look; 0 unless this daemon is the one that looks.
    let waiting = Atomic<Int>(0)
    /// Rows that are settled in PostgreSQL and were deleted.
    let delivered = Atomic<Int>(0)
    /// Of those, rows that are no events.
    let refused = Atomic<Int>(0)
}
