package import Logging
internal import MillraceJSON
package import MillracePostgres
internal import MillraceTelemetry
internal import Synchronization

/// Looks users up in the identity database: one query for all that the cache does not know.
///
/// When that database is away, what the cache knows is used, however old, and nothing is asked of it for a while: a
/// dashboard waits for it once and not each time.
package final class IdentityDirectory: Sendable {
    enum Availability: String, JSONChoice {
        case available
        case unavailable
        case notConfigured = "not_configured"
    }

    struct Answer: Sendable {
        var users: [String: IdentityUser]
        var availability: Availability
    }

    private struct State {
        var cache: IdentityCache
        var triesAgainAt: ContinuousClock.Instant?
    }

    private let configuration: IdentityConfiguration
    private let pool: ReadPool?
    private let logger: Logger
    private let state: Mutex<State>

    /// Connects when it is first asked.
    package init(_ configuration: IdentityConfiguration, logger: Logger) {
        self.configuration = configuration
        self.logger = logger
        state = Mutex(
            State(
                cache: IdentityCache(
                    entriesMax: configuration.cacheEntries, lifetime: configuration.cacheLifetime)))
        guard !configuration.url.isEmpty else {
            pool = nil
            return
        }
        var settings = ReadPoolConfiguration(
            databaseURL: configuration.url.value, connectTimeout: configuration.timeout,
            drainLimit: configuration.timeout)
        settings.applicationName = "millrace identity"
        settings.api.connectionsMin = 0
        settings.api.connectionsMax = IdentityConfiguration.connectionsMax
        settings.api.waitingMax = 100
        settings.api.acquireTimeout = configuration.timeout
        settings.api.statementTimeout = configuration.timeout
        pool = ReadPool(settings, logger: logger)
    }

    /// Closes what is idle until graceful shutdown, then ends.
    package func run() async {
        await pool?.run()
    }

    /// Interrupts look-ups, and ends the sessions.
    package func stop() async {
        await pool?.stop()
    }

    /// `ids`: of users of `tenant`, UUIDs in lower case. Always an answer for each: the fallback for those who are not known.
    func users(_ ids: [String], of tenant: Int32, now: ContinuousClock.Instant = .now) async -> Answer {
        guard let pool, tenant == configuration.tenant else {
            let users = ids.map { ($0, IdentityUser.unknown($0)) }
            return Answer(users: Dictionary(users) { first, _ in first }, availability: .notConfigured)
        }
        let (missing, isPaused) = state.withLock { state in
            (state.cache.missing(ids, at: now), state.triesAgainAt.map { now < $0 } ?? false)
        }
        guard !missing.isEmpty else { return answer(ids, isPaused ? .unavailable : .available) }
        guard !isPaused else { return answer(ids, .unavailable) }
        do {
            let found = try await pool.read { try Self.load(missing, on: $0) }
            state.withLock { state in
                state.cache.loaded(missing, found, at: now)
                state.triesAgainAt = nil
            }
            return answer(ids, .available)
        } catch {
            failed(error)
            return answer(ids, .unavailable)
        }
    }

    /// nil when there is no such database; else what is wrong with it, nil again when nothing is.
    func health() async -> DatabaseHealth? {
        guard let pool else { return nil }
        do {
            _ = try await pool.read { try $0.execute("SELECT 1").rowCount }
            return .healthy
        } catch {
            return DatabaseHealth(error)
        }
    }

    private func failed(_ error: any Error) {
        let now = ContinuousClock.now
        state.withLock { $0.triesAgainAt = now + configuration.retryAfter }
        logger.warning(
            "identity database not read",
            metadata: [.error: "\(error)", .hint: "identity.url; the dashboard shows ids instead of names"])
    }

    private func answer(_ ids: [String], _ availability: Availability) -> Answer {
        let users = state.withLock { state in
            ids.map { ($0, (state.cache.user($0) ?? nil) ?? .unknown($0)) }
        }
        return Answer(users: Dictionary(users) { first, _ in first }, availability: availability)
    }

    private static func load(_ ids: [String], on connection: PostgresConnection) throws -> [String: IdentityUser] {
        let result = try connection.query(
            "SELECT id::text, email, first_name, last_name, plan FROM public.users WHERE id = ANY ($1::uuid[])",
            parameters: [.text("{\(ids.joined(separator: ","))}")])
        var users: [String: IdentityUser] = [:]
        for row in 0..<result.rowCount {
            guard let id = result.string(row, 0) else { continue }
            let unknown = IdentityUser.unknown(id)
            users[id] = IdentityUser(
                email: result.string(row, 1) ?? unknown.email, firstName: result.string(row, 2) ?? unknown.firstName,
                lastName: result.string(row, 3) ?? unknown.lastName, plan: result.string(row, 4) ?? unknown.plan)
        }
        return users
    }
}

/// A user as the identity database knows them.
struct IdentityUser: Sendable, Equatable {
    var email: String
    var firstName: String
    var lastName: String
    var plan: String

    /// Of a user who is not known there.
    static func unknown(_ id: String) -> IdentityUser {
        IdentityUser(email: id, firstName: "", lastName: "", plan: "free")
    }
}

/// `[identity]`: the database that knows users by name.
package struct IdentityConfiguration: Sendable, Equatable {
    /// A look-up is one query for all that a page wants.
    package static let connectionsMax = 2

    /// libpq connection string or URI; empty: there is none.
    package var url = Secret("")
    /// Users that are remembered, unknown ones too.
    package var cacheEntries = 10_000
    /// How long a user is remembered.
    package var cacheLifetime = Duration.seconds(600)
    /// Of a look-up, connecting included.
    package var timeout = Duration.seconds(1)
    /// Time from a failed look-up to the next one.
    package var retryAfter = Duration.seconds(5)
    /// Users on the dashboard.
    package var usersMax = 10
    /// Whose users that database knows: others could learn a name by an id.
    package var tenant = 0

    package init() {}
}
