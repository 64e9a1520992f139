internal import MillraceTelemetry
internal import Synchronization

/// One reader of the feed: gets what it wants until the object is gone.
package final class FeedSubscription: Sendable {
    package let filter: FeedFilter
    private let feed: EventFeed
    private let queue: Mutex<FeedQueue>
    private let memory: MemoryReservation
    private let wake: @Sendable () -> Void

    /// `wake`: called, on any thread, when something is there to be taken.
    init(
        _ filter: FeedFilter, of feed: EventFeed, bytesMax: Int, memory: MemoryBudget,
        wake: @escaping @Sendable () -> Void
    ) {
        self.filter = filter
        self.feed = feed
        queue = Mutex(FeedQueue(bytesMax: bytesMax))
        self.memory = MemoryReservation(memory, for: .streams)
        self.wake = wake
    }

    /// Nothing goes in before the reader has taken what waits.
    package var isFull: Bool { queue.withLock { $0.isFull } }

    /// The next events, of about `bytes` together; those of the portion before have been sent.
    package func take(upTo bytes: Int) -> FeedQueue.Portion {
        let portion = queue.withLock { queue in
            let portion = queue.take(upTo: bytes)
            memory.count(queue.heldBytes)
            return portion
        }
        feed.sent.add(portion.events.count)
        return portion
    }

    /// Never blocks.
    package func offer(_ event: FeedEvent) {
        let isIn = queue.withLock { $0.offer(event) { memory.resize(to: $0) } }
        if !isIn { feed.dropped.add(1) }
        wake()
    }

    /// Counts `count` events that the reader wanted, or may have wanted, and does not get.
    package func drop(_ count: Int) {
        guard count > 0 else { return }
        queue.withLock { $0.drop(count) }
        feed.dropped.add(count)
        wake()
    }

    /// No event comes any more. Call it before the last reference goes.
    package func end() {
        feed.remove(self)
    }
}
