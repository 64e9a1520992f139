internal import Hummingbird
internal import MillracePostgres
internal import Synchronization

/// `GET /api/v1/stats-fast/health`: whether the databases answer. Open to everyone, so each is asked at most once a
/// second, whoever asks how often.
final class HealthRoute: Sendable {
    static let operation = APIOperation(
        id: "health", path: ReadRoute.health.path, tag: "dashboard", summary: "Whether the databases answer",
        access: .open, answer: "Health")

    private struct Report: Sendable {
        var postgresql: DatabaseHealth
        /// nil: not configured.
        var identity: DatabaseHealth?
        var at: ContinuousClock.Instant
    }

    private static let lifetime = Duration.seconds(1)

    private let pool: ReadPool
    private let identity: IdentityDirectory
    private let isStrict: Bool
    /// Whether the writers reach the primary, which `pool` may not read.
    private let isWriting: @Sendable () -> Bool
    private let last = Mutex<Report?>(nil)

    init(
        pool: ReadPool, identity: IdentityDirectory, isStrict: Bool, isWriting: @escaping @Sendable () -> Bool
    ) {
        self.pool = pool
        self.identity = identity
        self.isStrict = isStrict
        self.isWriting = isWriting
    }

    func respond() async -> Response {
        let report = await report()
        let isHealthy = report.postgresql.problem == nil && (report.identity ?? .healthy).problem == nil
        var json = JSONWriter()
        json.append(raw: "{\"status\":")
        json.append(isHealthy ? "healthy" : "unhealthy")
        json.append(raw: ",\"databases\":{\"postgresql\":")
        Self.write(report.postgresql, to: &json)
        json.append(raw: ",\"supabase\":")
        Self.write(report.identity, to: &json)
        json.append(raw: "}}")
        return APIAnswer.response(json, status: isHealthy || !isStrict ? .ok : .serviceUnavailable)
    }

    private static func write(_ health: DatabaseHealth?, to json: inout JSONWriter) {
        guard let health else { return json.append(raw: "{\"status\":\"not_configured\"}") }
        guard let problem = health.problem else { return json.append(raw: "{\"status\":\"healthy\"}") }
        json.append(raw: "{\"status\":\"unhealthy\",\"error\":")
        json.append(problem)
        json.append(raw: "}")
    }

    private func report() async -> Report {
        if let kept = last.withLock({ $0 }), ContinuousClock.now - kept.at < Self.lifetime { return kept }
        async let users = identity.health()
        var postgresql = DatabaseHealth.healthy
        do {
            _ = try await pool.read(.health) { try $0.execute("SELECT 1").rowCount }
            if !isWriting() { postgresql = DatabaseHealth(problem: "the writers have no connection") }
        } catch {
            postgresql = DatabaseHealth(error)
        }
        let report = Report(postgresql: postgresql, identity: await users, at: .now)
        last.withLock { $0 = report }
        return report
    }
}
