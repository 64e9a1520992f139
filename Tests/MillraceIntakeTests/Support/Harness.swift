import Logging
import MillraceChannels
import MillraceEvent
import MillraceIntake
import MillraceTelemetry
import NIOCore
import NIOPosix
import ServiceLifecycle

/// An intake on loopback with a fake spool behind it.
struct Harness {
    var spool: FakeSpool
    var metrics: IntakeMetrics
    var addresses: [ListenAddress]
    var group: ServiceGroup

    var address: ListenAddress { addresses[0] }

    func connect() async throws -> TestClient { try await TestClient(address) }

    /// Waits until `condition` holds.
    func wait(until condition: @escaping @Sendable () -> Bool) async {
        while !condition() { try? await Task.sleep(for: .milliseconds(1)) }
    }
}

let quiet = Logger(label: "test", factory: { _ in SwiftLogNoOpLogHandler() })

func withTCP(
    spool: FakeSpool = FakeSpool(), _ configure: (inout TCPIntakeConfiguration) -> Void = { _ in },
    _ body: (Harness) async throws -> Void
) async throws {
    var configuration = TCPIntakeConfiguration()
    configuration.listen = [.tcp(host: "127.0.0.1", port: 0)]
    configuration.certificates = TestTLS.current?.certificates
    configuration.tcp.greetingTimeout = .seconds(600)
    configure(&configuration)
    let metrics = IntakeMetrics()
    let (bound, listening) = AsyncStream<[ListenAddress]>.makeStream()
    let service = TCPIntakeService(
        configuration: Live(configuration), channel: spool.channel, metrics: metrics,
        group: MultiThreadedEventLoopGroup.singleton, logger: quiet, onListening: { listening.yield($0) })
    try await run(service, spool, metrics, bound, body)
}

func withHTTP(
    spool: FakeSpool = FakeSpool(), _ configure: (inout HTTPIntakeConfiguration) -> Void = { _ in },
    routes: @escaping HTTPIntakeService.Routes = { try? await $0.channel.close().get() },
    _ body: (Harness) async throws -> Void
) async throws {
    var configuration = HTTPIntakeConfiguration()
    configuration.http.hosts = ["t", "test"]
    configuration.listen = [.tcp(host: "127.0.0.1", port: 0)]
    configuration.certificates = TestTLS.current?.certificates
    // On a busy machine a test may be away for long between two calls.
    configuration.http.headerTimeout = .seconds(600)
    configuration.http.keepAlive = .seconds(600)
    configuration.http.writeTimeout = .seconds(600)
    configuration.http.bodyRateInterval = .seconds(600)
    configure(&configuration)
    let metrics = IntakeMetrics()
    let (bound, listening) = AsyncStream<[ListenAddress]>.makeStream()
    let service = HTTPIntakeService(
        configuration: Live(configuration), channel: spool.channel, metrics: metrics,
        group: MultiThreadedEventLoopGroup.singleton, logger: quiet, routes: routes,
        onListening: { listening.yield($0) })
    try await run(service, spool, metrics, bound, body)
}

private func run(
    _ service: any Service, _ spool: FakeSpool, _ metrics: IntakeMetrics, _ bound: AsyncStream<[ListenAddress]>,
    _ body: (Harness) async throws -> Void
) async throws {
    let group = ServiceGroup(configuration: .init(services: [.init(service: service)], logger: quiet))
    try await withThrowingTaskGroup { tasks in
        tasks.addTask { try await group.run() }
        tasks.addTask { await spool.run() }
        for await addresses in bound {
            do {
                try await body(Harness(spool: spool, metrics: metrics, addresses: addresses, group: group))
            } catch {
                await group.triggerGracefulShutdown()
                spool.channel.finish()
                throw error
            }
            break
        }
        await group.triggerGracefulShutdown()
        try await tasks.next()
        spool.channel.finish()
        try await tasks.waitForAll()
    }
}
