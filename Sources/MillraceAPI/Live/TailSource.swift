internal import MillraceChannels
internal import MillraceEvent
internal import MillraceJSON
internal import NIOCore

/// What one stream of `/v1/tail` says: the past, then what is committed, then and now how much it missed.
struct TailSource: EventSource {
    /// Bytes of events that are written together.
    private static let portionBytes = 32 << 10

    private let place: TailPlace
    private var past: TailPast.Found?
    private let opener: FieldOpener?
    /// Events of the past: one that was committed while they were read comes by the feed too.
    private let shown: Set<UniqueID>
    /// Events that this stream did not get.
    private var droppedTotal = 0

    /// `opener`: for who may see encrypted values.
    init(place: TailPlace, past: TailPast.Found?, opener: FieldOpener?) {
        self.place = place
        self.past = past
        self.opener = opener
        shown = Set(past?.events.map(\.id) ?? [])
    }

    /// A place to go on from, before the first event has one; then the past.
    mutating func opening() -> ByteBuffer? {
        var stream = ByteBuffer(string: "id: \(BatchID.first(at: .now))\n\n")
        guard let past else { return stream }
        self.past = nil
        if past.isTruncated { appendDropped(nil, to: &stream) }
        for event in past.events { append(event, to: &stream) }
        ServerSentEvent.append(CaughtUp(count: past.events.count).json, name: "live", to: &stream)
        past.memory?.count(0)
        return stream
    }

    mutating func next(isTime: Bool, for caller: Caller) -> ByteBuffer? {
        let portion = place.subscription.take(upTo: Self.portionBytes)
        guard !portion.isEmpty else { return nil }
        var stream = ByteBuffer()
        for event in portion.events where !shown.contains(event.id) { append(event, to: &stream) }
        if portion.dropped > 0 {
            droppedTotal += portion.dropped
            appendDropped(portion.dropped, to: &stream)
        }
        return stream
    }

    private func append(_ event: FeedEvent, to stream: inout ByteBuffer) {
        let opened = opener.flatMap { opener in event.json.withUnsafeBytes { opener.opened(json: $0) } }
        // A value that was encrypted is as its sender wrote it: line breaks are white space of its JSON.
        let json = opened?.map { $0 == 0x0A || $0 == 0x0D ? 0x20 : $0 } ?? event.json
        ServerSentEvent.append(json, id: event.batchID, to: &stream)
    }

    private func appendDropped(_ count: Int?, to stream: inout ByteBuffer) {
        ServerSentEvent.append(Dropped(count: count, total: droppedTotal).json, name: "dropped", to: &stream)
    }
}

private struct Dropped: JSONShape {
    var count: Int?
    var total: Int

    static let fields: [JSONField<Self>] = [JSONField("count", \.count), JSONField("total", \.total)]
}

private struct CaughtUp: JSONShape {
    var count: Int

    static let fields: [JSONField<Self>] = [JSONField("caught_up", \.count)]
}
