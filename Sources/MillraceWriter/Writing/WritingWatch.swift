import Logging
import MillracePostgres

/// Looks, a few times a second, whether events are being written, and logs what operators are to know.
struct WritingWatch: Sendable {
    private static let interval = Duration.milliseconds(200)

    private let monitor: WritingMonitor
    private let logger: Logger
    private let linesWaiting: @Sendable () -> Int
    private let end = AsyncStream.makeStream(of: Void.self)

    init(monitor: WritingMonitor, logger: Logger, linesWaiting: @escaping @Sendable () -> Int) {
        self.monitor = monitor
        self.logger = logger
        self.linesWaiting = linesWaiting
    }

    /// Until `stop`, or cancellation.
    func run() async {
        await withTaskGroup { group in
            group.addTask { for await _ in end.stream {} }
            group.addTask {
                while (try? await Task.sleep(for: Self.interval)) != nil {
                    for action in monitor.look(linesWaiting: linesWaiting()) { carryOut(action) }
                }
            }
            await group.next()
            group.cancelAll()
        }
    }

    func stop() {
        end.continuation.finish()
    }

    private func carryOut(_ action: WritingStateMachine.Action) {
        switch action {
        case .say(let stall):
            logger.error(
                stall.reach == .nothing ? "nothing is written" : "some batches are not written",
                metadata: Self.metadata(of: stall))
        case .unsay(let stall):
            logger.notice("events are written again", metadata: ["after_seconds": "\(Self.seconds(of: stall))"])
        }
    }

    private static func metadata(of stall: WritingStateMachine.Stall) -> Logger.Metadata {
        var metadata: Logger.Metadata = [
            "code": "\(stall.fault.code)", "reason": "\(stall.fault.message)", "for_seconds": "\(seconds(of: stall))",
            "lines_waiting": "\(stall.linesWaiting)", "hint": "\(stall.fault.hint)",
        ]
        if let sqlState = stall.fault.sqlState { metadata["sql_state"] = "\(sqlState)" }
        return metadata
    }

    private static func seconds(of stall: WritingStateMachine.Stall) -> Int64 {
        stall.since.duration(to: .now).components.seconds
    }
}
