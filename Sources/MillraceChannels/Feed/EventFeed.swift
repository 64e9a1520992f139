package import MillraceTelemetry
internal import Synchronization

/// Where the writers' events meet those who watch: nobody waits for anybody here.
package final class EventFeed: Sendable {
    private let subscriptions = Mutex<[ObjectIdentifier: FeedSubscription]>([:])
    private let count = Atomic<Int>(0)
    /// Events that readers took.
    package let sent = MetricCounter()
    /// Events that a reader wanted, or may have wanted, and did not get.
    package let dropped = MetricCounter()

    package init() {}

    /// Whether anybody watches. Costs an atomic load.
    package var isWatched: Bool { count.load(ordering: .acquiring) > 0 }

    /// Those who watch now.
    package var readers: [FeedSubscription] { subscriptions.withLock { Array($0.values) } }

    /// From now on what is committed goes to the subscription too, until its `end`.
    package func subscribe(
        _ filter: FeedFilter, bytesMax: Int, memory: MemoryBudget, wake: @escaping @Sendable () -> Void
    ) -> FeedSubscription {
        let subscription = FeedSubscription(filter, of: self, bytesMax: bytesMax, memory: memory, wake: wake)
        subscriptions.withLock { $0[ObjectIdentifier(subscription)] = subscription }
        count.add(1, ordering: .releasing)
        return subscription
    }

    func remove(_ subscription: FeedSubscription) {
        let isKnown = subscriptions.withLock { $0.removeValue(forKey: ObjectIdentifier(subscription)) != nil }
        if isKnown { count.subtract(1, ordering: .releasing) }
    }
}
