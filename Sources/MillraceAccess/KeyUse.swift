internal import Synchronization

/// What a key's holders have open now. Stays when its record changes.
package final class KeyUse: Sendable {
    private static let lastLane = Atomic<UInt64>(0)

    /// The key's own in the record channel; never 0.
    package let lane = KeyUse.lastLane.add(1, ordering: .relaxed).newValue
    /// Connections over TCP.
    package let connections = OpenCount()
    /// Requests over HTTP.
    package let requests = OpenCount()
    private let sent = Atomic<Int>(0)

    /// Lines that became durable, since this process knows the key.
    package var lines: Int { sent.load(ordering: .relaxed) }

    /// Counts lines that became durable.
    package func countLines(_ count: Int) { sent.add(count, ordering: .relaxed) }
}

/// Counts what is open of something that has a limit.
package final class OpenCount: Sendable {
    private let open = Atomic<Int>(0)

    package init() {}

    package var value: Int { open.load(ordering: .relaxed) }

    /// Counts one more while fewer than `max` are open; zero: no limit. Given back with the place; nil where there is none.
    package func enter(max: Int) -> OpenPlace? {
        let taken = open.add(1, ordering: .relaxed).newValue
        guard max > 0, taken > max else { return OpenPlace(of: self) }
        leave()
        return nil
    }

    fileprivate func leave() { open.subtract(1, ordering: .relaxed) }
}

/// One that is open, counted while the object lives.
package final class OpenPlace: Sendable {
    private let count: OpenCount

    fileprivate init(of count: OpenCount) {
        self.count = count
    }

    deinit { count.leave() }
}
