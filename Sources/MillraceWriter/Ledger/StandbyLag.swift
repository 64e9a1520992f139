import MillracePostgres

/// Knows how far the standbys are behind, and whether the spool keeps settled lines for as long: what a standby lacks when it
/// is promoted is written again out of the spool, as long as it is there. A value without I/O and clock.
package struct StandbyLag: Sendable {
    package enum Standing: Sendable, Equatable {
        case fine
        /// More than four fifths of `spool.retain`.
        case near
        /// More than all of it: a failover to this standby would lose lines.
        case beyond
    }

    /// The one that is furthest behind.
    package struct Slowest: Sendable, Equatable {
        package var name: String
        package var lag: Duration
        package var standing: Standing
    }

    /// A look makes the lag up to as much too large; below, nothing is said of it.
    static let resolution = Duration.seconds(2)

    private var history = LogHistory()
    private var last = Standing.fine

    /// The primary's log ends at `end`, and the standbys have replayed so far. Those that `requirement` has segments wait for
    /// are left out: nothing goes that they lack. Those whose position is hidden are left out, too.
    ///
    /// - Parameter retain: how long the spool keeps settled lines.
    /// - Returns: the slowest one; nil where none counts. `isNew`: its standing has changed since the last look.
    mutating func looked(
        end: LogPosition, _ standbys: [StandbyRequirement.Standby], beside requirement: StandbyRequirement,
        retain: Duration, at now: ContinuousClock.Instant
    ) -> (slowest: Slowest?, isNew: Bool) {
        history.add(Int(clamping: end.bytes), at: now)
        var slowest: Slowest?
        for standby in standbys where !requirement.covers(standby) {
            guard let replayed = standby.replayed,
                let lag = history.age(of: Int(clamping: replayed.bytes), at: now)?.age
            else { continue }
            if let slowest, slowest.lag >= lag { continue }
            slowest = Slowest(name: standby.name ?? "", lag: lag, standing: Self.standing(lag, retain))
        }
        let standing = slowest?.standing ?? .fine
        defer { last = standing }
        return (slowest, standing != last)
    }

    private static func standing(_ lag: Duration, _ retain: Duration) -> Standing {
        if lag <= resolution { return .fine }
        if lag > retain { return .beyond }
        return lag > retain * 4 / 5 ? .near : .fine
    }
}

extension StandbyRequirement {
    /// Whether segments wait for the standby.
    func covers(_ standby: Standby) -> Bool {
        switch self {
        case .none: false
        case .all: true
        case .named(let names): standby.name.map { names.contains($0) } ?? false
        }
    }
}
