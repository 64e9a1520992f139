internal import Logging
internal import MillraceEvent
internal import NIOCore
internal import Synchronization

/// Logs refused lines at most once an interval, with how many there were since.
final class RefusalLog: Sendable {
    private struct State {
        var count = 0
        var nextLog = NIODeadline.uptimeNanoseconds(0)
    }

    private let interval: TimeAmount
    private let logger: Logger
    private let state = Mutex(State())

    init(interval: TimeAmount, logger: Logger) {
        self.interval = interval
        self.logger = logger
    }

    func refused(_ code: RefusalCode, peer: String, now: NIODeadline = .now()) {
        let count = state.withLock { state -> Int? in
            state.count += 1
            guard now >= state.nextLog else { return nil }
            state.nextLog = now + interval
            defer { state.count = 0 }
            return state.count
        }
        guard let count else { return }
        logger.warning(
            "lines refused",
            metadata: ["count": "\(count)", "last_code": "\(code.rawValue)", "last_peer": "\(peer)"])
    }
}
