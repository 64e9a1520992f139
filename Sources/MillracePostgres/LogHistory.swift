/// Where a server's log ended when, as far as it was looked at; and so how long ago it was where a standby has replayed to.
///
/// A standby has whatever was there at the last look whose end it has replayed. No two clocks are compared, and a server to
/// which nobody writes makes no standby old.
package struct LogHistory: Sendable {
    private struct Sight {
        var position: Int
        var at: ContinuousClock.Instant
    }

    /// Beyond, every second one of the older half goes: what is left is earlier, and so no age too small.
    package static let sightsMax = 512

    /// Ascending, in both.
    private var sights: [Sight] = []

    package init() {}

    /// Looks that are remembered.
    package var count: Int { sights.count }

    /// Of the last look.
    package var lastAt: ContinuousClock.Instant? { sights.last?.at }

    /// The log ended at `position`, in bytes since its beginning. One that ends earlier than before is another log.
    package mutating func add(_ position: Int, at now: ContinuousClock.Instant) {
        let position = Self.recordsEnd(position)
        if let last = sights.last, position < last.position { removeAll() }
        sights.append(Sight(position: position, at: now))
        guard sights.count > Self.sightsMax else { return }
        let half = Self.sightsMax / 2
        sights = stride(from: 0, to: half, by: 2).map { sights[$0] } + sights[half...]
    }

    package mutating func removeAll() {
        sights = []
    }

    /// How long before `now` the log ended where a standby has replayed to. `isLeast`: longer ago than the first look. Nil:
    /// nobody has looked.
    package func age(of replayed: Int, at now: ContinuousClock.Instant) -> (age: Duration, isLeast: Bool)? {
        guard let first = sights.first else { return nil }
        let reached = sights.last { $0.position <= replayed }
        return (max(.zero, (reached ?? first).at.duration(to: now)), reached == nil)
    }

    /// The end of the last record below `position`, where the next one would begin: behind the header of a page (24 bytes; 40
    /// in the first page of a segment, whose size is a multiple of 1 MiB) that holds nothing yet. A standby has replayed up to
    /// the record's end, and would else seem to lag as long as nobody writes.
    private static func recordsEnd(_ position: Int) -> Int {
        if position % (1 << 20) == 40 { return position - 40 }
        return position % 8192 == 24 ? position - 24 : position
    }
}
