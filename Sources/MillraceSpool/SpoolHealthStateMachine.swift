internal import MillraceChannels

/// Whether the spool takes submissions, and when a spool that does not tries again.
struct SpoolHealthStateMachine: Sendable {
    enum State: Sendable, Equatable {
        case ready
        case full(retryAt: ContinuousClock.Instant)
        /// The disk takes no new segment; `backoff` is the pause in force.
        case failed(retryAt: ContinuousClock.Instant, backoff: Duration)
    }

    enum Action: Sendable, Equatable {
        case refuse(SpoolRefusal)
        case accept
    }

    /// Longest pause between two attempts on a failed disk.
    private static let backoffMax: Duration = .seconds(30)

    private let retry: Duration
    private(set) var state = State.ready

    init(retry: Duration) {
        self.retry = retry
    }

    /// What submissions are answered now; nil when they are taken.
    var refusal: SpoolRefusal? {
        switch state {
        case .ready: nil
        case .full: .spoolFull
        case .failed: .spoolFailed
        }
    }

    func isRetryDue(_ now: ContinuousClock.Instant) -> Bool {
        switch state {
        case .ready: false
        case .full(let retryAt), .failed(let retryAt, _): now >= retryAt
        }
    }

    mutating func spaceRanOut(_ now: ContinuousClock.Instant) -> Action? {
        let before = refusal
        state = .full(retryAt: now.advanced(by: retry))
        return before == .spoolFull ? nil : .refuse(.spoolFull)
    }

    mutating func diskFailed(_ now: ContinuousClock.Instant) -> Action? {
        var backoff = retry
        if case .failed(_, let last) = state { backoff = min(last * 2, Self.backoffMax) }
        let before = refusal
        state = .failed(retryAt: now.advanced(by: backoff), backoff: backoff)
        return before == .spoolFailed ? nil : .refuse(.spoolFailed)
    }

    mutating func attemptSucceeded() -> Action? {
        guard state != .ready else { return nil }
        state = .ready
        return .accept
    }
}
