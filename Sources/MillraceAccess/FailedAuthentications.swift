/// Slows failed authentications down: how long the answer to one waits, whatever the reason. The first ones of an address
/// wait for `failure_delay`, each further ten of the same minute twice as long, up to `failure_delay_max`. Few answers wait
/// at a time, so that a flood of wrong keys holds little; who is beyond them gets none, and its connection ends.
package final class FailedAuthentications: Sendable {
    /// An answer that waits; counted while the object lives.
    package final class Wait: Sendable {
        package let delay: Duration
        private let places: [OpenPlace]

        fileprivate init(delay: Duration, places: [OpenPlace]) {
            self.delay = delay
            self.places = places
        }
    }

    private static let failuresPerStep = 10

    private let waiting = OpenCount()

    package init() {}

    /// Counts a failure. Nil when too many wait: no answer, and the connection ends.
    ///
    /// - Parameters:
    ///   - address: nil for a Unix socket.
    ///   - now: nanoseconds of a clock that never goes back.
    package func failed(from address: AddressUse?, _ configuration: AuthConfiguration, now: UInt64) -> Wait? {
        let count = address?.failed(now: now) ?? 1
        guard let place = waiting.enter(max: configuration.failuresWaitingMax) else { return nil }
        var places = [place]
        if let address {
            guard let own = address.waiting.enter(max: configuration.addressFailuresWaitingMax) else { return nil }
            places.append(own)
        }
        let steps = min((count - 1) / Self.failuresPerStep, 16)
        let delay = configuration.failureDelay * (1 << steps)
        return Wait(delay: max(configuration.failureDelay, min(delay, configuration.failureDelayMax)), places: places)
    }
}
