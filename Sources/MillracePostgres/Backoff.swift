/// How long to wait before the next try: exponential, with full jitter, so that many clients do not come back at once.
package struct Backoff: Sendable {
    /// The first wait is drawn from `0 ... min`; the range doubles with each try, up to `max`.
    private let min: Duration
    private let max: Duration
    /// Tries since the last `reset()`.
    package private(set) var attempts = 0

    package init(min: Duration, max: Duration) {
        precondition(min > .zero && min <= max, "the shortest wait is above zero and not above the longest")
        self.min = min
        self.max = max
    }

    /// The next wait. Never below a tenth of its range, so that no try comes at once.
    package mutating func next(using generator: inout some RandomNumberGenerator) -> Duration {
        // 2^30 times the shortest is beyond every sensible longest.
        let range = Swift.min(max, min * (1 << Swift.min(attempts, 30)))
        attempts += 1
        return range * Double.random(in: 0.1...1, using: &generator)
    }

    /// The next wait, drawn by the system's generator.
    package mutating func next() -> Duration {
        var generator = SystemRandomNumberGenerator()
        return next(using: &generator)
    }

    /// After a success.
    package mutating func reset() {
        attempts = 0
    }
}
