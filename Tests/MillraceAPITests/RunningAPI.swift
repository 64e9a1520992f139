import Logging
import MillraceAPI
import MillraceChannels
import MillraceEvent
import MillraceIntake
import MillraceTelemetry
import NIOPosix
import ServiceLifecycle

/// The HTTP intake with the API's routes on a port of its own, and a spool that takes everything.
enum RunningAPI {
    static let quiet = Logger(label: "test", factory: { _ in SwiftLogNoOpLogHandler() })

    /// `received`: told what the spool took. `body`: gets the port.
    static func run(
        _ routes: APIRoutes, channel: RecordChannel, received: @escaping @Sendable ([Record]) -> Void = { _ in },
        _ body: (Int) async throws -> Void
    ) async throws {
        var intake = HTTPIntakeConfiguration()
        intake.listen = [.tcp(host: "127.0.0.1", port: 0)]
        intake.http.hosts = ["t", "millrace.example.com", "127.0.0.1.example.com", "10.0.0.1"]
        intake.intake.linger = .milliseconds(50)
        // On a busy machine a test may be away for long between two calls.
        intake.http.headerTimeout = .seconds(600)
        intake.http.keepAlive = .seconds(600)
        intake.http.writeTimeout = .seconds(600)
        intake.http.bodyRateInterval = .seconds(600)
        let (bound, listening) = AsyncStream<[ListenAddress]>.makeStream()
        let service = HTTPIntakeService(
            configuration: Live(intake), channel: channel, metrics: IntakeMetrics(),
            group: MultiThreadedEventLoopGroup.singleton, logger: quiet, routes: { await routes.handle($0) },
            onListening: { listening.yield($0) })
        let group = ServiceGroup(configuration: .init(services: [.init(service: service)], logger: quiet))
        try await withThrowingTaskGroup { tasks in
            tasks.addTask { try await group.run() }
            tasks.addTask {
                while case let submissions = await channel.next(), !submissions.isEmpty {
                    for submission in submissions {
                        received(submission.records)
                        submission.reply(.durable(0..<UInt64(submission.count)))
                    }
                }
            }
            var iterator = bound.makeAsyncIterator()
            guard case .tcp(_, let port) = await iterator.next()?.first else { return }
            let result: Result<Void, any Error>
            do {
                try await body(port)
                result = .success(())
            } catch {
                result = .failure(error)
            }
            await group.triggerGracefulShutdown()
            try await tasks.next()
            channel.finish()
            try await tasks.waitForAll()
            try result.get()
        }
    }
}

extension Reading {
    /// Of a database that is not there.
    static var unreachable: Reading {
        let servers = ReadServers(
            primary: ReadPoolConfiguration(
                databaseURL: "host=/nonexistent dbname=none", connectTimeout: .seconds(5), drainLimit: .seconds(5)),
            logger: RunningAPI.quiet)
        return Reading(
            configuration: ReadConfiguration(), servers: servers, writing: servers.primary,
            catalog: PackCatalog(definitions: [], servers: servers),
            identity: IdentityDirectory(IdentityConfiguration(), logger: RunningAPI.quiet), isWriting: { true })
    }
}
