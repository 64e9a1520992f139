import MillraceTelemetry

/// What the outbox service counts; read by `/metrics`.
final class OutboxMetrics: Sendable {
    /// Rows that wait, as of the last look; 0 unless this daemon is the one that looks.
    let waiting = MetricCounter()
    /// Rows that are settled in PostgreSQL and were deleted.
    let delivered = MetricCounter()
    /// Of those, rows that are no events.
    let refused = MetricCounter()
}
