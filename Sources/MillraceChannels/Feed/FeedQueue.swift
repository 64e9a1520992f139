/// What waits for one reader: events up to so many bytes, and a count of those that found no room. A value; whoever has it
/// holds a lock.
///
/// From the first event that finds no room until all before it were taken, every event is dropped, so that what is told as
/// dropped lies in one place among those that are sent.
package struct FeedQueue: Sendable {
    /// What the reader gets next.
    package struct Portion: Sendable, Equatable {
        package var events: [FeedEvent] = []
        /// Events that were dropped after these.
        package var dropped = 0

        package var isEmpty: Bool { events.isEmpty && dropped == 0 }
    }

    /// Of an event besides its JSON, in bytes.
    private static let eventBytes = 64

    private let bytesMax: Int
    private var events: [FeedEvent] = []
    private var head = 0
    private var waitingBytes = 0
    /// Of the portion that was taken last and is being sent.
    private var sendingBytes = 0
    private var dropped = 0

    /// `bytesMax`: of all that waits and is being sent; a larger event goes in alone.
    package init(bytesMax: Int) {
        self.bytesMax = bytesMax
    }

    package var heldBytes: Int { waitingBytes + sendingBytes }

    /// Nothing goes in before the reader has taken what waits.
    package var isFull: Bool { dropped > 0 }

    /// Puts the event behind the others, or counts it as dropped. True where it went in.
    package mutating func offer(_ event: FeedEvent, hasMemory: (Int) -> Bool) -> Bool {
        let bytes = event.json.count + Self.eventBytes
        guard dropped == 0, heldBytes == 0 || heldBytes + bytes <= bytesMax, hasMemory(heldBytes + bytes) else {
            dropped += 1
            return false
        }
        events.append(event)
        waitingBytes += bytes
        return true
    }

    /// Counts events that were not even looked at.
    package mutating func drop(_ count: Int) {
        dropped += count
    }

    /// The next events, of about `bytes` together, at least one where there is one. What was taken before has been sent.
    package mutating func take(upTo bytes: Int) -> Portion {
        var portion = Portion()
        sendingBytes = 0
        while head < events.count, sendingBytes < bytes {
            sendingBytes += events[head].json.count + Self.eventBytes
            portion.events.append(events[head])
            head += 1
        }
        waitingBytes -= sendingBytes
        if head == events.count {
            events.removeAll()
            head = 0
            portion.dropped = dropped
            dropped = 0
        } else if head > events.count / 2 {
            events.removeSubrange(..<head)
            head = 0
        }
        return portion
    }
}
