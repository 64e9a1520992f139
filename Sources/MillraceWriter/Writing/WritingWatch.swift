import AsyncAlgorithms
import Logging
import MillracePostgres
import MillraceTelemetry

/// Looks, a few times a second, whether events are being written, and logs what operators are to know.
struct WritingWatch: Sendable {
    private static let interval = Duration.milliseconds(200)

    private let monitor: WritingMonitor
    private let logger: Logger
    private let linesWaiting: @Sendable () -> Int
    private let end = AsyncStream.makeStream(of: Void.self, bufferingPolicy: .bufferingNewest(1))

    init(monitor: WritingMonitor, logger: Logger, linesWaiting: @escaping @Sendable () -> Int) {
        self.monitor = monitor
        self.logger = logger
        self.linesWaiting = linesWaiting
    }

    /// Until `stop`, or cancellation.
    func run() async {
        let looks = AsyncTimerSequence(interval: Self.interval, clock: .continuous).map { _ in true }
        for await isLook in merge(looks, end.stream.map { false }) {
            guard isLook else { return }
            for action in monitor.look(linesWaiting: linesWaiting()) { carryOut(action) }
        }
    }

    func stop() {
        end.continuation.yield()
    }

    private func carryOut(_ action: WritingStateMachine.Action) {
        switch action {
        case .say(let stall):
            logger.error(
                stall.reach == .nothing ? "nothing is written" : "some batches are not written",
                metadata: Self.metadata(of: stall))
        case .unsay(let stall):
            logger.notice("events are written again", metadata: [.afterSeconds: "\(Self.seconds(of: stall))"])
        }
    }

    private static func metadata(of stall: WritingStateMachine.Stall) -> Logger.Fields {
        var metadata: Logger.Fields = [
            .code: "\(stall.fault.code)", .reason: "\(stall.fault.message)", .forSeconds: "\(seconds(of: stall))",
            .linesWaiting: "\(stall.linesWaiting)", .hint: "\(stall.fault.hint)",
        ]
        if let sqlState = stall.fault.sqlState { metadata[.sqlState] = "\(sqlState)" }
        return metadata
    }

    private static func seconds(of stall: WritingStateMachine.Stall) -> Int64 {
        stall.since.duration(to: .now).components.seconds
    }
}
