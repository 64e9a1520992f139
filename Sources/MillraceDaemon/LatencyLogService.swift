import Logging
internal import MillraceThreads
import MillraceTelemetry
import ServiceLifecycle

/// Writes `latency.log`: an interval every `interval`, and a last one when everything else has ended. On a thread of its
/// own, since it blocks on the disk; the stages notice nothing of it.
///
/// Listed before (and so stopped after) the stages. A disk that takes nothing is said once, and so is its return.
actor LatencyLogService: Service {
    private let executor = ThreadExecutor(name: "latency-log")
    private let interval: Duration
    private let snapshot: @Sendable () -> LatencySnapshot
    private let logger: Logger
    private var log: LatencyLog
    private var isFailing = false

    nonisolated var unownedExecutor: UnownedSerialExecutor { executor.asUnownedSerialExecutor() }

    /// `snapshot`: of all that was recorded since `startedAt`.
    init(
        file: sending LatencyLogFile, interval: Duration, startedAt: Duration, logger: Logger,
        snapshot: @escaping @Sendable () -> LatencySnapshot
    ) {
        log = LatencyLog(file: file, startedAt: startedAt)
        self.interval = interval
        self.snapshot = snapshot
        self.logger = logger
    }

    func run() async {
        try? await cancelWhenGracefulShutdown {
            while true {
                try await Task.sleep(for: self.interval)
                await self.write()
            }
        }
        write()
        log.close()
        executor.stop()
    }

    private func write() {
        do throws(LatencyLogError) {
            try log.write(snapshot())
            if isFailing { logger.notice("latency log written again") }
            isFailing = false
        } catch {
            if !isFailing {
                logger.warning("latency log not written", metadata: [.error: "\(error)", .hint: "\(error.hint)"])
            }
            isFailing = true
        }
    }
}
