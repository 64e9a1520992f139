internal import CMillrace
package import MillraceEvent
internal import MillraceJSON

/// A whole body in a dialect: its key, and its messages one after the other as lines of Millrace's own.
///
/// Used by one thread. What is given to `init` stays where it is as long as messages are asked for.
package final class DialectBody {
    /// Memory that reading takes for each byte of a body, about: the places of its tokens, and texts without escapes.
    package static let readingBytesAByte = 6

    private let request: DialectRequest
    private let receivedAt: Timestamp
    /// What a form or a query was decoded to.
    private let decoded: DecodedText?
    private let reader = MessageReader()
    private var index = 0
    private let envelope: Envelope

    /// Around the messages.
    struct Envelope {
        var sentAt: SenderTime?
        /// Further members, as an object.
        var others: [UInt8] = []
        var hasWriteKey = false
    }

    /// The key that the body holds.
    package let key: String?

    /// - Parameters:
    ///   - body: has `EventParser.paddingBytes` readable bytes behind it.
    ///   - receivedAt: what the sender's clock is compared with.
    /// - Throws: where it is no JSON, or has none of the dialect's forms.
    package init(
        _ body: UnsafeRawBufferPointer, of request: DialectRequest, receivedAt: Timestamp
    ) throws(Refusal) {
        self.request = request
        self.receivedAt = receivedAt
        decoded = try DecodedText(body, of: request)
        try reader.read(decoded?.text ?? body.withoutMark, list: "batch")
        let first = reader.count > 0 && !reader.envelope.isObject ? reader[0] : nil
        switch request.dialect {
        case .segment:
            key = (reader.envelope["writeKey"] ?? first?["writeKey"])?.text
            envelope = SegmentMessage.envelope(reader.envelope, receivedAt)
        case .postHog, .postHogV1:
            key = PostHogMessage.key(reader.envelope) ?? first.flatMap { PostHogMessage.key($0) }
            envelope = PostHogMessage.envelope(reader.envelope, of: request, receivedAt)
        case .cloudEvents:
            key = nil
            envelope = Envelope()
            if request.contentType.hasPrefix("application/cloudevents-batch") != reader.isList {
                throw Refusal(
                    .notAnObject,
                    "application/cloudevents+json holds one object, application/cloudevents-batch+json an array")
            }
        }
    }

    /// Messages in all.
    package var count: Int { reader.count }

    /// Memory that it holds beside the body, in bytes, about.
    package var heldBytes: Int { decoded?.text.count ?? 0 }

    package var isAtEnd: Bool { index == reader.count }

    /// The message that was taken last as it stands in the body, but without keys.
    package var keptMessage: [UInt8] {
        let message = reader[index - 1]
        let gaps =
            switch request.dialect {
            case .segment: SecretMember.places(SegmentMessage.keyNames, in: message)
            case .postHog, .postHogV1: PostHogMessage(message, envelope, path: request.path).secrets
            case .cloudEvents: [Range<Int>]()
            }
        var kept: [UInt8] = []
        EventLine.append(message.text, without: gaps, to: &kept)
        return kept
    }

    /// Its `uuid`, as a string's literal: by this name its sender is told what became of it.
    package var uuid: [UInt8]? {
        reader[index - 1]["uuid"].flatMap { $0.isString ? Array($0.bytes) : nil }
    }

    /// Takes the next message: `line` is what it says, without a newline; the parser judges it like any other line. Throws
    /// where the message says nothing that could be a line. Must not be called at the end.
    package func next(tenant: Int32, into line: inout [UInt8]) throws(Refusal) {
        let message = reader[index]
        index += 1
        guard message.isObject else { throw Refusal(.notAnObject, "a message is a JSON object") }
        switch request.dialect {
        case .segment:
            try SegmentMessage(message, envelope, path: request.path).write(
                tenant: tenant, receivedAt: receivedAt, into: &line)
        case .postHog, .postHogV1:
            try PostHogMessage(message, envelope, path: request.path).write(
                tenant: tenant, receivedAt: receivedAt, into: &line)
        case .cloudEvents:
            try CloudEvent(message).write(tenant: tenant, into: &line)
        }
    }
}

extension DialectBody.Envelope {
    /// Gathers the members that stand for nothing else.
    mutating func keep(_ envelope: JSONObject, but known: (String) -> Bool) {
        var json = JSONWriter()
        json.append(raw: "{")
        var isEmpty = true
        envelope.forEach { name, piece in
            let name = String(decoding: name, as: UTF8.self)
            guard !known(name), !piece.isNull else { return }
            isEmpty = false
            json.append(name: name)
            json.append(raw: piece.bytes)
        }
        json.append(raw: "}")
        if !isEmpty { others = json.bytes }
    }
}

/// Text of a body that does not stand in it: of a form, or of a query. Padded as the parser wants it.
final class DecodedText {
    // SAFETY: allocated once, freed with this object, never changed in between.
    let text: UnsafeRawBufferPointer

    init(_ bytes: [UInt8]) {
        let buffer = UnsafeMutableRawBufferPointer.allocate(
            byteCount: bytes.count + EventParser.paddingBytes, alignment: 16)
        buffer.initializeMemory(as: UInt8.self, repeating: 0)
        buffer.copyBytes(from: bytes)
        text = UnsafeRawBufferPointer(rebasing: buffer[..<bytes.count])
    }

    deinit { text.baseAddress?.deallocate() }

    /// Nil where the body is text as it stands.
    convenience init?(_ body: UnsafeRawBufferPointer, of request: DialectRequest) throws(Refusal) {
        if request.dialect == .cloudEvents, !request.contentType.hasPrefix("application/cloudevents") {
            self.init(try CloudEvent.structured(body, request))
        } else if request.isPixel {
            self.init(SegmentMessage.pixel(request.query))
        } else if request.dialect == .postHog, let bytes = try PostHogMessage.decoded(body, request) {
            self.init(bytes)
        } else {
            return nil
        }
    }
}

extension UnsafeRawBufferPointer {
    /// Without a byte order mark.
    var withoutMark: UnsafeRawBufferPointer {
        starts(with: [0xEF, 0xBB, 0xBF]) ? UnsafeRawBufferPointer(rebasing: dropFirst(3)) : self
    }
}
