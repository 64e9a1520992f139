internal import Logging
internal import NIOCore
internal import Synchronization

/// Logs what was refused at most once an interval, with how many there were since.
final class RefusalLog: Sendable {
    private struct State {
        var count = 0
        var nextLog = NIODeadline.uptimeNanoseconds(0)
    }

    private let interval: TimeAmount
    private let message: String
    private let hint: String?
    private let logger: Logger
    private let state = Mutex(State())

    init(_ message: String, hint: String? = nil, interval: TimeAmount, logger: Logger) {
        self.message = message
        self.hint = hint
        self.interval = interval
        self.logger = logger
    }

    func refused(_ code: String, peer: String? = nil, now: NIODeadline = .now()) {
        let count = state.withLock { state -> Int? in
            state.count += 1
            guard now >= state.nextLog else { return nil }
            state.nextLog = now + interval
            defer { state.count = 0 }
            return state.count
        }
        guard let count else { return }
        var metadata: Logger.Metadata = ["count": "\(count)", "last_code": "\(code)"]
        if let peer { metadata["last_peer"] = "\(peer)" }
        if let hint { metadata["hint"] = "\(hint)" }
        logger.warning("\(message)", metadata: metadata)
    }
}
