internal import Synchronization

/// A token bucket that many threads share. What is taken may be more than is there: the debt is paid before anything more
/// is let in, so that a request's size need not be known before it is read.
package final class RateLimiter: Sendable {
    private struct State {
        /// Below zero: a debt.
        var tokens: Double
        /// Nanoseconds of a clock that never goes back.
        var at: UInt64
    }

    /// A day, in seconds: the longest wait that is told, whatever the debt.
    private static let waitMax = 86_400.0

    private let perSecond: Double
    private let burst: Double
    private let state: Mutex<State>

    /// Nil where `rate` has no limit. `now`: nanoseconds of a clock that never goes back, here and below.
    package init?(_ rate: KeyRecord.Rate, now: UInt64) {
        guard let perSecond = rate.perSecond else { return nil }
        self.perSecond = Double(max(1, perSecond))
        burst = Double(max(1, rate.burst ?? perSecond))
        state = Mutex(State(tokens: burst, at: now))
    }

    /// How long nothing may be let in; zero where something may.
    package func wait(now: UInt64) -> Duration {
        state.withLock { state in
            refill(&state, now)
            return state.tokens >= 1 ? .zero : .seconds(min((1 - state.tokens) / perSecond, Self.waitMax))
        }
    }

    /// Counts what was let in.
    package func take(_ count: Int, now: UInt64) {
        state.withLock { state in
            refill(&state, now)
            state.tokens -= Double(count)
        }
    }

    private func refill(_ state: inout State, _ now: UInt64) {
        guard now > state.at else { return }
        state.tokens = min(burst, state.tokens + Double(now - state.at) / 1_000_000_000 * perSecond)
        state.at = now
    }
}
