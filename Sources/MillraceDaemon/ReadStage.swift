import Logging
import MillraceAPI
import MillraceConfiguration
internal import MillraceChannels
import MillraceProjections
import MillraceTelemetry
import ServiceLifecycle

/// What reading routes read from: the connections to the database and to the one that knows users.
struct ReadStage: Service {
    let reading: Reading

    /// `databaseURL`: read where `api.read_url` is empty. `packs`: those that this daemon loads. `isWriting`: whether the
    /// writers reach the database.
    init(
        _ configuration: DaemonConfiguration, databaseURL: String, packs: [PackDefinition], cursorKey: CursorKey,
        memory: MemoryBudget,
        metrics: ReadMetrics, logger: Logger, isWriting: @escaping @Sendable () -> Bool
    ) {
        let api = configuration.api
        var settings = ReadPoolConfiguration(databaseURL: api.readURL.isEmpty ? databaseURL : api.readURL.value)
        settings.connectionsMin = api.connectionsMin
        settings.connectionsMax = api.connectionsMax
        settings.waitingMax = api.waitingMax
        settings.acquireTimeout = api.acquireTimeout
        settings.connectTimeout = configuration.database.connectTimeout
        settings.statementTimeout = api.statementTimeout
        settings.idleTimeout = api.idleTimeout
        settings.drainLimit = configuration.intake.drainLimit
        let pool = ReadPool(settings, metrics: metrics, logger: logger)
        var identity = IdentityConfiguration()
        identity.databaseURL = configuration.identity.url.value
        identity.cacheEntries = configuration.identity.cacheEntries
        identity.cacheLifetime = configuration.identity.cacheLifetime
        identity.timeout = configuration.identity.timeout
        identity.retryAfter = configuration.identity.retryAfter
        var routes = ReadConfiguration()
        routes.pageBytesMax = api.pageBytes
        routes.memory = memory
        routes.documentBytesMax = configuration.limits.payloadTextBytes
        routes.cursorKey = cursorKey
        routes.topUsersMax = configuration.identity.usersMax
        routes.isStrict = configuration.http.strictHealthChecks
        reading = Reading(
            configuration: routes, pool: pool, catalog: PackCatalog(definitions: packs, pool: pool),
            identity: IdentityDirectory(identity, logger: logger), isWriting: isWriting)
    }

    /// Until graceful shutdown; then statements under way have `intake.drain_limit`.
    func run() async {
        await withTaskGroup { group in
            group.addTask { await reading.pool.run() }
            group.addTask { await reading.identity.run() }
        }
    }
}
