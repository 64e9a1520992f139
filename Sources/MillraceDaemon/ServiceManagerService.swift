import Glibc
import Logging
import MillraceTelemetry
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
        logger.info("ready", metadata: [.status: "\(status)"])
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

/// The service manager's side of `Type=notify`: datagrams to the socket named by `NOTIFY_SOCKET` (sd_notify(3)).
/// Does nothing when the variable is not set. Never blocks; a lost datagram is the manager's to notice.
struct ServiceManager: Sendable {
    private let path: String?
    /// Half of `WATCHDOG_USEC`, as sd_watchdog_enabled(3) advises; nil when no watchdog is asked for.
    let watchdogInterval: Duration?

    /// `environment`: of the process. `process`: its id; `WATCHDOG_PID` may name another.
    init(environment: [String: String], process: Int32 = getpid()) {
        path = environment["NOTIFY_SOCKET"].flatMap { $0.isEmpty ? nil : $0 }
        let isOurs = environment["WATCHDOG_PID"].map { $0 == String(process) } ?? true
        watchdogInterval =
            isOurs ? environment["WATCHDOG_USEC"].flatMap { Int64($0) }.map { .microseconds($0 / 2) } : nil
    }

    /// `READY=1` with a line for `systemctl status`.
    func ready(_ status: String) {
        send("READY=1\nSTATUS=\(status)")
    }

    /// `RELOADING=1`; `ready` ends it.
    func reloading() {
        var now = timespec()
        clock_gettime(CLOCK_MONOTONIC, &now)
        send("RELOADING=1\nMONOTONIC_USEC=\(Int64(now.tv_sec) * 1_000_000 + Int64(now.tv_nsec) / 1000)")
    }

    func stopping() {
        send("STOPPING=1\nSTATUS=making durable what was received")
    }

    func isAlive() {
        send("WATCHDOG=1")
    }

    private func send(_ message: String) {
        guard let path else { return }
        var address = sockaddr_un()
        address.sun_family = sa_family_t(AF_UNIX)
        let name = Array(path.utf8)
        let capacity = MemoryLayout.size(ofValue: address.sun_path)
        guard name.count < capacity else { return }
        withUnsafeMutableBytes(of: &address.sun_path) { field in
            field.copyBytes(from: name)
            // An abstract socket's name begins with NUL, written as @.
            if name[0] == UInt8(ascii: "@") { field[0] = 0 }
        }
        let descriptor = socket(AF_UNIX, Int32(SOCK_DGRAM.rawValue) | Int32(SOCK_CLOEXEC.rawValue), 0)
        guard descriptor >= 0 else { return }
        defer { close(descriptor) }
        let length = socklen_t(MemoryLayout<sa_family_t>.size + name.count)
        let bytes = Array(message.utf8)
        withUnsafePointer(to: &address) { pointer in
            pointer.withMemoryRebound(to: sockaddr.self, capacity: 1) { generic in
                _ = sendto(descriptor, bytes, bytes.count, Int32(MSG_NOSIGNAL), generic, length)
            }
        }
    }
}
