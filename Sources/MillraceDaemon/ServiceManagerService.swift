import Logging
import ServiceLifecycle
import UnixSignals

/// Tells the service manager how the daemon fares: ready once every listener is up, alive while its tasks run, reloading
/// on SIGHUP, stopping as the first act of a shutdown. Listed last, so that it stops first.
struct ServiceManagerService: Service {
    let manager: ServiceManager
    /// Waits until every listener is bound; returns the status line.
    let untilReady: @Sendable () async throws -> String
    /// Reads the configuration again; what of it needs a restart is logged there.
    let reload: @Sendable () async -> Void
    let logger: Logger

    func run() async throws {
        await withGracefulShutdownHandler {
            await cancelWhenGracefulShutdown {
                await work()
            }
        } onGracefulShutdown: {
            logger.info("stopping")
            manager.stopping()
        }
    }

    private func work() async {
        guard let status = try? await untilReady() else { return }
        logger.info("ready", metadata: ["status": "\(status)"])
        manager.ready(status)
        await withDiscardingTaskGroup { group in
            if let interval = manager.watchdogInterval {
                group.addTask {
                    while !Task.isCancelled {
                        manager.isAlive()
                        try? await Task.sleep(for: interval)
                    }
                }
            }
            group.addTask {
                for await _ in await UnixSignalsSequence(trapping: .sighup) {
                    manager.reloading()
                    await reload()
                    manager.ready(status)
                }
            }
        }
    }
}
