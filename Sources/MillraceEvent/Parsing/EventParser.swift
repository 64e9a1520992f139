package import CMillrace

/// Judges lines, one at a time, with simdjson: the one place where the contract's field rules stand.
///
/// Not safe for two threads: one for each event loop or route call. Holds buffers that grow to the longest line seen
/// (about five bytes a byte of it) and never blocks.
package final class EventParser {
    /// Bytes that must be readable behind a line, whatever their values.
    package static let paddingBytes = Int(MR_PADDING)

    let parser: OpaquePointer
    /// Of the line that was accepted last.
    var event = mr_event()
    private var refusal = mr_refusal()

    package init() {
        guard let parser = mr_parser_create() else { preconditionFailure("there is no memory for a parser") }
        self.parser = parser
    }

    deinit {
        mr_parser_destroy(parser)
    }

    /// Accepts or refuses one line (white space around it allowed) without making values of it. `line` has
    /// `paddingBytes` readable bytes behind it. `kind`: nil lets the fields decide. Allocates only to refuse.
    package func validate(
        _ line: UnsafeRawBufferPointer, limits: EventLimits, receivedAt: Timestamp, kind: RecordKind? = nil
    ) throws(Refusal) -> RecordKind {
        var parserLimits = limits.parserLimits(receivedAt: receivedAt, kind: kind)
        let bytes = line.baseAddress?.assumingMemoryBound(to: UInt8.self)
        let code = mr_parse(parser, bytes, line.count, &parserLimits, &event, &refusal)
        guard code == MR_ACCEPTED else { throw Refusal(refusal) }
        return Int(event.kind) == MR_KIND_CONVERSATION ? .conversation : .event
    }

    /// Like `validate`, and copies the fields out.
    package func parse(
        _ line: UnsafeRawBufferPointer, limits: EventLimits, receivedAt: Timestamp
    ) throws(Refusal) -> ParsedLine {
        switch try validate(line, limits: limits, receivedAt: receivedAt) {
        case .conversation: .conversation(conversation)
        case .event, .refused: .event(analyticsEvent)
        }
    }

    /// The type of the event that was validated last, in UTF-8, while its line is still there.
    package var eventType: UnsafeRawBufferPointer {
        UnsafeRawBufferPointer(start: event.event_type.bytes, count: event.event_type.length)
    }

    /// The line that was validated last names itself: an event by its id, a save by what it holds.
    package var hasIdentity: Bool { event.has_id || Int(event.kind) == MR_KIND_CONVERSATION }

    /// The C parser with its index of the line that was validated last, and what it found in it, while that line is still
    /// there.
    package func withLine<Result>(_ body: (OpaquePointer, UnsafePointer<mr_event>) -> Result) -> Result {
        // In place, without a copy for each line.
        withUnsafePointer(to: &event) { body(parser, $0) }
    }

    /// Reads a body that must be a conversation save. Copies `body`, which needs no readable bytes behind it.
    package func parseConversation(
        _ body: some Sequence<UInt8>, limits: EventLimits, receivedAt: Timestamp
    ) throws(Refusal) -> ConversationSave {
        var padded = Array(body)
        let count = padded.count
        padded.append(contentsOf: repeatElement(0, count: Self.paddingBytes))
        // Spelled out because `withUnsafeBytes` does not pass a typed error on.
        let outcome = padded.withUnsafeBytes { bytes in
            Result { () throws(Refusal) in
                try validate(
                    UnsafeRawBufferPointer(rebasing: bytes[..<count]), limits: limits, receivedAt: receivedAt,
                    kind: .conversation)
            }.map { _ in conversation }
        }
        return try outcome.get()
    }

    /// The fields of the event that was parsed last, while its line is still there.
    private var analyticsEvent: AnalyticsEvent {
        AnalyticsEvent(
            id: event.has_id ? UniqueID(event.id) : nil,
            eventType: String(event.event_type),
            userID: event.has_user_id ? UniqueID(event.user_id) : nil,
            payload: String(event.payload),
            createdAt: Timestamp(microseconds: event.created_us),
            isTimeKnown: event.has_created
        )
    }

    /// The fields of the conversation save that was parsed last, while its line is still there.
    private var conversation: ConversationSave {
        ConversationSave(
            conversationID: String(event.conversation_id),
            userID: UniqueID(event.user_id),
            question: String(event.question),
            response: String(event.response),
            source: String(event.source),
            metadata: String(event.metadata),
            createdAt: Timestamp(microseconds: event.created_us)
        )
    }
}

extension String {
    fileprivate init(_ text: mr_text) {
        self.init(decoding: UnsafeBufferPointer(start: text.bytes, count: text.length), as: UTF8.self)
    }
}

extension UniqueID {
    fileprivate init(
        _ bytes: (
            UInt8, UInt8, UInt8, UInt8, UInt8, UInt8, UInt8, UInt8, UInt8, UInt8, UInt8, UInt8, UInt8, UInt8, UInt8,
            UInt8
        )
    ) {
        self = withUnsafeBytes(of: bytes) { bytes in
            UniqueID(
                high: UInt64(bigEndian: bytes.loadUnaligned(as: UInt64.self)),
                low: UInt64(bigEndian: bytes.loadUnaligned(fromByteOffset: 8, as: UInt64.self))
            )
        }
    }
}
