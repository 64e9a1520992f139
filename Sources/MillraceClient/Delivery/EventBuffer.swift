/// The events that have no answer yet, in the order in which they go out.
///
/// 1. Each has an ordinal, counted from 0; the first one's is `settledCount`.
/// 2. What went out on the present connection is a prefix; a new connection begins with the first event again.
struct EventBuffer {
    struct Entry: Equatable {
        var event: MillraceClient.Event
        /// Of who waits for its answer; nil: nobody does.
        var ticket: Int?
    }

    /// `entries[..<head]` are answered, and not yet cut off.
    private var entries: [Entry] = []
    private var head = 0

    /// Events that were answered, ever.
    private(set) var settledCount = 0
    /// Events without an answer that went out on the present connection.
    private(set) var sentCount = 0
    /// Bytes of the lines without an answer, with their ends.
    private(set) var byteCount = 0

    var count: Int { entries.count - head }
    /// The ordinal that the next event gets.
    var nextOrdinal: Int { settledCount + count }
    var hasUnsent: Bool { sentCount < count }
    /// Those without an answer.
    var events: [MillraceClient.Event] { entries[head...].map(\.event) }

    /// Bytes that an event takes of the bounds.
    static func bytes(of event: MillraceClient.Event) -> Int { event.line.count + 1 }

    mutating func append(_ entry: Entry) {
        entries.append(entry)
        byteCount += Self.bytes(of: entry.event)
    }

    /// The lines of the events that did not go out yet, up to `bytesMax` bytes, but one at least where there is one. They
    /// count as sent.
    mutating func takeUnsent(upTo bytesMax: Int) -> [UInt8] {
        var bytes: [UInt8] = []
        while hasUnsent {
            let line = entries[head + sentCount].event.line
            guard bytes.isEmpty || bytes.count + line.count < bytesMax else { break }
            bytes += line
            bytes.append(UInt8(ascii: "\n"))
            sentCount += 1
        }
        return bytes
    }

    /// The next event is answered; it must have gone out.
    mutating func settleNext() -> Entry {
        precondition(sentCount > 0, "only what was sent can be answered")
        let entry = entries[head]
        head += 1
        settledCount += 1
        sentCount -= 1
        byteCount -= Self.bytes(of: entry.event)
        // Cut only when half of it is answered: each entry is then moved once at most.
        if head > entries.count / 2 {
            entries.removeSubrange(..<head)
            head = 0
        }
        return entry
    }

    /// A new connection: everything without an answer goes out again.
    mutating func rewind() {
        sentCount = 0
    }

    /// Nobody waits for any of them any more; returns the tickets of those who did.
    mutating func takeTickets() -> [Int] {
        let tickets = entries[head...].compactMap(\.ticket)
        for index in head..<entries.count { entries[index].ticket = nil }
        return tickets
    }
}
