import Logging
import MillraceAPI
import MillraceConfiguration
import MillraceIntake
import MillracePostgres
import MillraceProjections
import MillraceWriter
import ServiceLifecycle
import Synchronization

/// Both intakes and the readers as one service, so that a stop drains them at the same time: `intake.drain_limit` passes
/// once, neither intake takes lines while the other one has stopped, and no request waits for PostgreSQL for longer.
struct IntakeStage: Service {
    /// Those that tell what they are bound to.
    static let intakes = 2

    let tcp: TCPIntakeService
    let http: HTTPIntakeService
    let reads: ReadStage

    /// Until graceful shutdown; an error of one ends the other.
    func run() async throws {
        try await withThrowingTaskGroup(of: Void.self) { group in
            group.addTask { try await tcp.run() }
            group.addTask { try await http.run() }
            group.addTask { await reads.run() }
            do {
                // Not `waitForAll`, which waits for every child before it throws the first one's error.
                while try await group.next() != nil {}
            } catch {
                group.cancelAll()
                throw error
            }
        }
    }
}

/// What reading routes read from: the connections to the database and to the one that knows users.
struct ReadStage: Service {
    let reading: Reading

    /// `configuration`: resolved. `packs`: those that this daemon loads.
    init(
        _ configuration: DaemonConfiguration, settings: ReadConfiguration, packs: [PackDefinition],
        primary: PrimaryGuard, metrics: DaemonMetrics, logger: Logger
    ) {
        var reads = ReadPoolConfiguration(
            databaseURL: configuration.database.url.value, api: configuration.api,
            connectTimeout: configuration.database.connectTimeout, drainLimit: configuration.intake.drainLimit)
        reads.primary = primary
        let servers = ReadServers(
            primary: reads, replicas: configuration.api.readURL, metrics: metrics.reads, logger: logger)
        metrics.observeReplicas(servers)
        var checkouts = ReadPoolConfiguration(
            databaseURL: configuration.database.url.value, api: Self.checkouts(configuration.api),
            connectTimeout: configuration.database.connectTimeout, drainLimit: configuration.intake.drainLimit)
        checkouts.applicationName = "millrace checkout"
        checkouts.isReadOnly = false
        checkouts.primary = primary
        reading = Reading(
            configuration: settings, servers: servers, writing: ReadPool(checkouts, logger: logger),
            catalog: PackCatalog(definitions: packs, servers: servers),
            identity: IdentityDirectory(configuration.identity, logger: logger),
            isWriting: { metrics.writer.isDatabaseUp.load(ordering: .relaxed) })
    }

    /// Takes other bounds and timeouts of `[api]`. `configuration`: resolved.
    func set(_ configuration: DaemonConfiguration) {
        reading.servers.set(configuration.api)
        reading.writing.set(Self.checkouts(configuration.api))
    }

    private static func checkouts(_ api: APIConfiguration) -> APIConfiguration {
        var api = api
        api.connectionsMin = 0
        api.connectionsMax = api.checkoutsMax
        return api
    }

    /// Until graceful shutdown; then statements under way have `intake.drain_limit`.
    func run() async {
        await withTaskGroup { group in
            group.addTask { await reading.servers.run() }
            group.addTask { await reading.writing.run() }
            group.addTask { await reading.identity.run() }
        }
    }
}
