internal import CMillrace
internal import MillraceEvent
internal import MillraceJSON

/// A whole body of JSON messages.
final class DialectBody: DialectMessages {
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

    let key: String?

    /// As `DialectRequest.messages` has it.
    init(
        _ body: UnsafeRawBufferPointer, of request: DialectRequest, receivedAt: Timestamp, bytesMax: Int
    ) throws(Refusal) {
        self.request = request
        self.receivedAt = receivedAt
        decoded = try DecodedText(body, of: request, bytesMax: bytesMax)
        try reader.read(decoded?.text ?? body.withoutMark, list: "batch")
        let first = reader.count > 0 && !reader.envelope.isObject ? reader[0] : nil
        switch request.dialect {
        case .segment:
            key = (reader.envelope["writeKey"] ?? first?["writeKey"])?.text
            envelope = SegmentMessage.envelope(reader.envelope, receivedAt)
        case .postHog, .postHogV1:
            key = PostHogMessage.key(reader.envelope) ?? first.flatMap { PostHogMessage.key($0) }
            envelope = PostHogMessage.envelope(reader.envelope, of: request, receivedAt)
        case .pixel:
            key = nil
            envelope = Envelope()
        case .openTelemetry: preconditionFailure("log records are read by LogRecords")
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

    var isEmpty: Bool { reader.count == 0 && request.dialect != .cloudEvents }

    var heldBytes: Int { decoded?.text.count ?? 0 }

    var isAtEnd: Bool { index == reader.count }

    var keptMessage: [UInt8] {
        let message = reader[index - 1]
        let gaps =
            switch request.dialect {
            case .segment: SecretMember.places(SegmentMessage.keyNames, in: message)
            case .postHog, .postHogV1: PostHogMessage(message, envelope, path: request.path).secrets
            case .cloudEvents, .openTelemetry, .pixel: [Range<Int>]()
            }
        var kept: [UInt8] = []
        EventLine.append(message.text, without: gaps, to: &kept)
        return kept
    }

    var uuid: [UInt8]? {
        reader[index - 1]["uuid"].flatMap { $0.isString ? Array($0.bytes) : nil }
    }

    func next(tenant: Int32, into line: inout [UInt8]) throws(Refusal) {
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
        case .pixel:
            try PixelMessage(message).write(tenant: tenant, into: &line)
        case .cloudEvents, .openTelemetry:
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
    convenience init?(
        _ body: UnsafeRawBufferPointer, of request: DialectRequest, bytesMax: Int
    ) throws(Refusal) {
        if request.dialect == .cloudEvents, !request.contentType.hasPrefix("application/cloudevents") {
            self.init(try CloudEvent.structured(body, request))
        } else if request.dialect == .pixel {
            self.init(PixelMessage.text(of: request.query))
        } else if request.isPixel {
            self.init(SegmentMessage.pixel(request.query))
        } else if request.dialect == .postHog, let bytes = try PostHogMessage.decoded(body, request, bytesMax) {
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
