internal import MillraceEvent
internal import MillraceJSON

/// A call of Segment's or RudderStack's SDKs.
struct SegmentMessage {
    private let message: JSONObject
    private let envelope: DialectBody.Envelope
    /// What the path says that it is; nil: its member `type` says so.
    private let call: String?

    static let keyNames = ["writeKey"]
    private static let calls: Set<String> = ["track", "identify", "page", "screen", "group", "alias", "merge"]

    init(_ message: JSONObject, _ envelope: DialectBody.Envelope, path: String) {
        self.message = message
        self.envelope = envelope
        let last = path.split(separator: "/").last.map(String.init) ?? ""
        call = Self.calls.contains(last) ? last : nil
    }

    static func envelope(_ object: JSONObject, _ receivedAt: Timestamp) -> DialectBody.Envelope {
        var envelope = DialectBody.Envelope()
        envelope.sentAt = SenderTime(object["sentAt"], receivedAt: receivedAt)
        envelope.hasWriteKey = object["writeKey"] != nil
        envelope.keep(object) { $0 == "batch" || $0 == "sentAt" || $0 == "writeKey" }
        return envelope
    }

    /// The message that the query of a picture is: each of its names a string.
    static func pixel(_ query: FormFields) -> [UInt8] {
        var json = JSONWriter()
        json.append(raw: "{")
        for item in query.items where item.name != "writeKey" {
            json.append(name: item.name)
            json.append(item.value)
        }
        json.append(raw: "}")
        return json.bytes
    }

    func write(tenant: Int32, receivedAt: Timestamp, into out: inout [UInt8]) throws(Refusal) {
        let isSegments = envelope.hasWriteKey || message["writeKey"] != nil
        var line = EventLine(isSegments ? .segment : .rudderStack, tenant: tenant)
        let call = if let call { call } else { try named() }
        line.type = try type(of: call)
        let messageID = message["messageId"]
        line.id = messageID?.uuid ?? messageID?.id.map { ExternalEventID.id(of: [$0], tenant: tenant) }
        let (user, anonymous) = (message["userId"], message["anonymousId"])
        let hasUser = user?.id != nil
        line.user = hasUser ? user : anonymous
        if hasUser { line.anonymousUser = anonymous }
        if call == "alias" { line.previousUser = message["previousId"] }
        line.createdAt = (message["timestamp"] ?? message["originalTimestamp"])?.time
        line.sentAt = envelope.sentAt ?? SenderTime(message["sentAt"], receivedAt: receivedAt)
        line.envelope = envelope.others
        line.write(payload: message.text, without: SecretMember.places(Self.keyNames, in: message), into: &out)
    }

    private func named() throws(Refusal) -> String {
        if let type = message["type"]?.text, !type.isEmpty { return type }
        guard message["event"] != nil else {
            throw Refusal(
                .missingField, "type is missing; a message has one of track, identify, page, screen, group, alias")
        }
        return "track"
    }

    /// The event's type, as a string's literal.
    private func type(of call: String) throws(Refusal) -> [UInt8] {
        guard call == "track" else { return JSONString.literal(call) }
        guard let event = message["event"] else {
            throw Refusal(.missingField, "event is missing; a call of track has the event's name there")
        }
        guard event.isString else { throw Refusal(.invalidEventType, "event is no string; the event's name is wanted") }
        return Array(event.bytes)
    }
}

/// Members that hold a key of Millrace's, which no table shall hold.
enum SecretMember {
    /// Where those members lie in the object's text, each with a comma; ascending.
    static func places(_ names: [String], in object: JSONObject) -> [Range<Int>] {
        guard let start = object.text.baseAddress else { return [] }
        var places: [Range<Int>] = []
        object.forEach { name, piece in
            guard isKey(piece), names.contains(String(decoding: name, as: UTF8.self)),
                let value = piece.bytes.baseAddress
            else { return }
            places.append(place(of: value - start..<value - start + piece.bytes.count, in: object.text))
        }
        return places
    }

    /// Whether a string begins as Millrace's keys do.
    static func isKey(_ piece: JSONPiece) -> Bool { piece.bytes.starts(with: "\"mr_".utf8) }

    /// The member whose value lies there, with the comma behind it, or the one before it where it is the last.
    static func place(of value: Range<Int>, in text: UnsafeRawBufferPointer) -> Range<Int> {
        // Back over the colon and the name, which begins behind a bracket or a comma.
        var start = value.lowerBound - 1
        while JSONScanner.isSpace(text[start]) { start -= 1 }
        start -= 1
        while JSONScanner.isSpace(text[start]) { start -= 1 }
        repeat { start -= 1 } while text[start] != UInt8(ascii: "\"")
        var end = value.upperBound
        while JSONScanner.isSpace(text[end]) { end += 1 }
        if text[end] == UInt8(ascii: ",") { return start..<end + 1 }
        var before = start - 1
        while JSONScanner.isSpace(text[before]) { before -= 1 }
        return (text[before] == UInt8(ascii: ",") ? before : start)..<value.upperBound
    }
}
