internal import Logging
internal import MillraceEvent
internal import MillraceTelemetry
internal import NIOCore
internal import Synchronization

/// Logs refusals at most once an interval, with how many there were since the last line.
final class RefusalLog: Sendable {
    private struct State {
        var count = 0
        var notKept = 0
        var nextLog = NIODeadline.uptimeNanoseconds(0)
    }

    private let interval: @Sendable () -> TimeAmount
    private let message: String
    private let hint: String?
    private let logger: Logger
    private let state = Mutex(State())

    /// `interval` is asked for at each line that is written.
    init(
        _ message: String, hint: String? = nil, interval: @autoclosure @escaping @Sendable () -> TimeAmount,
        logger: Logger
    ) {
        self.message = message
        self.hint = hint
        self.interval = interval
        self.logger = logger
    }

    /// `isKept`: false for a line that is only counted.
    func refused(_ code: String, peer: String? = nil, isKept: Bool = true, now: NIODeadline = .now()) {
        let said = state.withLock { state -> State? in
            state.count += 1
            if !isKept { state.notKept += 1 }
            guard now >= state.nextLog else { return nil }
            defer { state = State(nextLog: now + interval()) }
            return state
        }
        guard let said else { return }
        var metadata: Logger.Fields = [.count: "\(said.count)", .lastRefusal: "\(code)"]
        if let peer { metadata[.lastPeer] = "\(peer)" }
        if said.notKept > 0 { metadata[.notKept] = "\(said.notKept)" }
        if let hint { metadata[.hint] = "\(hint)" }
        logger.warning("\(message)", metadata: metadata)
    }
}
