internal import Hummingbird
internal import MillraceJSON
internal import MillracePostgres
internal import MillraceRoutes
internal import Synchronization

/// `GET /api/v1/stats-fast/health`: whether the databases answer. Others than readers ask, so each is asked at most once a
/// second, whoever asks how often.
final class HealthRoute: ReadingRoute {
    static let operation = APIOperation(
        .health, id: "health", tag: "dashboard", summary: "Whether the databases answer", access: .operations,
        answer: .init(HealthAnswer.self), furtherFailures: [(503, "One does not, with http.strict_health_checks")],
        unavailableAnswer: .init(HealthAnswer.self))

    private struct Report: Sendable {
        var postgresql: DatabaseHealth
        /// nil: not configured.
        var identity: DatabaseHealth?
        var at: ContinuousClock.Instant
    }

    private static let lifetime = Duration.seconds(1)

    private let servers: ReadServers
    private let identity: IdentityDirectory
    private let isStrict: Bool
    /// Whether the writers reach the primary, which `servers` may not read.
    private let isWriting: @Sendable () -> Bool
    private let last = Mutex<Report?>(nil)

    init(_ reading: Reading) {
        servers = reading.servers
        identity = reading.identity
        isStrict = reading.configuration.routes.strictHealthChecks
        isWriting = reading.isWriting
    }

    func respond(_ parameters: RequestParameters) async -> Response {
        let report = await report()
        let databases = HealthAnswer.Databases(
            postgresql: HealthAnswer.Database(report.postgresql), supabase: HealthAnswer.Database(report.identity))
        let isHealthy = databases.postgresql.status != .unhealthy && databases.supabase.status != .unhealthy
        return Response(
            HealthAnswer(status: isHealthy ? .healthy : .unhealthy, databases: databases),
            status: isHealthy || !isStrict ? .ok : .serviceUnavailable)
    }

    private func report() async -> Report {
        if let kept = last.withLock({ $0 }), ContinuousClock.now - kept.at < Self.lifetime { return kept }
        async let users = identity.health()
        var postgresql = DatabaseHealth.healthy
        do {
            _ = try await servers.read(.health) { try $0.execute("SELECT 1").rowCount }
            if !isWriting() { postgresql = DatabaseHealth(problem: "the writers have no connection") }
        } catch {
            postgresql = DatabaseHealth(error)
        }
        let report = Report(postgresql: postgresql, identity: await users, at: .now)
        last.withLock { $0 = report }
        return report
    }
}

private struct HealthAnswer: JSONShape {
    enum Status: String, JSONChoice {
        case healthy, unhealthy
    }

    struct Database: JSONShape {
        enum Status: String, JSONChoice {
            case healthy, unhealthy
            case notConfigured = "not_configured"
        }

        var status: Status
        var error: String?

        init(_ health: DatabaseHealth?) {
            error = health?.problem
            status = health == nil ? .notConfigured : error == nil ? .healthy : .unhealthy
        }

        static let fields: [JSONField<Self>] = [
            JSONField("status", \.status), JSONField("error", optional: \.error, doc: "Why it is unhealthy"),
        ]
    }

    struct Databases: JSONShape {
        var postgresql: Database
        var supabase: Database

        static let fields: [JSONField<Self>] = [
            JSONField("postgresql", \.postgresql), JSONField("supabase", \.supabase),
        ]
    }

    var status: Status
    var databases: Databases

    static let name = "Health"

    static let fields: [JSONField<Self>] = [JSONField("status", \.status), JSONField("databases", \.databases)]
}
