internal import Synchronization

/// What one address has open, and what it has used.
package final class AddressUse: Sendable {
    private struct State {
        var rate: (perSecond: Int, limiter: RateLimiter)?
        /// Failed authentications since `failuresSince`.
        var failures = 0
        var failuresSince: UInt64 = 0
    }

    /// Failures that are forgotten together.
    private static let failureWindow: UInt64 = 60_000_000_000

    package let connections = OpenCount()
    package let requests = OpenCount()
    /// Answers to failed authentications that wait.
    package let waiting = OpenCount()
    private let state = Mutex(State())

    init() {}

    var isOpen: Bool { connections.value > 0 || requests.value > 0 || waiting.value > 0 }

    /// How long nothing may be let in for the address's rate. `now`: nanoseconds of a clock that never goes back.
    package func wait(perSecond: Int, now: UInt64) -> Duration {
        limiter(perSecond, now)?.wait(now: now) ?? .zero
    }

    /// Counts what was let in.
    package func take(_ count: Int, perSecond: Int, now: UInt64) {
        limiter(perSecond, now)?.take(count, now: now)
    }

    private func limiter(_ perSecond: Int, _ now: UInt64) -> RateLimiter? {
        guard perSecond > 0 else { return nil }
        return state.withLock { state in
            if let rate = state.rate, rate.perSecond == perSecond { return rate.limiter }
            let limiter = RateLimiter(KeyRecord.Rate(perSecond: perSecond), now: now)
            state.rate = limiter.map { (perSecond, $0) }
            return limiter
        }
    }

    /// Counts a failed authentication. Returns how many there were in about the last minute, this one included.
    func failed(now: UInt64) -> Int {
        state.withLock { state in
            let age = now - min(now, state.failuresSince)
            if age > Self.failureWindow {
                // Half of them count on, so that a minute's turn is no clean slate.
                state.failures = age > 2 * Self.failureWindow ? 0 : state.failures / 2
                state.failuresSince = now
            }
            state.failures += 1
            return state.failures
        }
    }
}
