import MillracePostgres
import ServiceLifecycle

/// Ends the daemon when its private PostgreSQL has ended by itself: the next start starts it again.
struct EmbeddedWatchService: Service {
    /// Between two looks.
    private static let interval = Duration.seconds(1)
    /// An operator's `pg_ctl restart` takes less.
    private static let absenceMax = Duration.seconds(5)

    let database: EmbeddedDatabase

    /// Until graceful shutdown; throws `EmbeddedClusterError`.
    func run() async throws {
        try await cancelWhenGracefulShutdown {
            var seenAt = ContinuousClock.now
            while !Task.isCancelled {
                if await database.isRunning() { seenAt = .now }
                guard ContinuousClock.now - seenAt < Self.absenceMax else { throw await database.ended() }
                try? await Task.sleep(for: Self.interval)
            }
        }
    }
}
