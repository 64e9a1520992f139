/// The server that a request reads, all of it: what one statement shows, the next one must not lack.
struct ReadPlace: Sendable, Equatable {
    /// Of the request that is under way; nil: the primary is read.
    @TaskLocal static var current: ReadPlace?

    /// Number of the primary.
    static let primary = 0
    /// Of `current`.
    static var currentServer: Int { current?.server ?? primary }

    /// `primary`, or the place in `api.read_url`, from 1.
    var server: Int
    /// How far it is behind the primary, at most.
    var lag = Duration.zero
    /// The caller wants what it has written: nothing that was read before may stand for it.
    var isAfter = false

    /// Seconds as `X-Replica-Lag` has them: `0.412`.
    var lagText: String {
        let milliseconds = lag.components.seconds * 1000 + lag.components.attoseconds / 1_000_000_000_000_000
        let digits = String(milliseconds % 1000)
        return "\(milliseconds / 1000).\(String(repeating: "0", count: 3 - digits.count))\(digits)"
    }
}
