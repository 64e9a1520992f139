internal import FoundationEssentials
internal import MillraceEvent
internal import MillraceJSON

/// An event of PostHog's SDKs.
struct PostHogMessage {
    private let message: JSONObject
    private let envelope: DialectBody.Envelope
    private let path: String

    init(_ message: JSONObject, _ envelope: DialectBody.Envelope, path: String) {
        self.message = message
        self.envelope = envelope
        self.path = path
    }

    /// What the clock shows that `offset` counts back from: 2000-01-01T00:00:00Z.
    private static let offsetClock = Timestamp(microseconds: Timestamp.postgresEpoch)

    private static let keyNames = ["api_key", "token", "$token"]

    /// The key in a body, or in a message.
    static func key(_ object: JSONObject) -> String? {
        if let key = (object["api_key"] ?? object["token"] ?? object["$token"])?.text { return key }
        return object["properties"]?.object["token"]?.text
    }

    static func envelope(
        _ object: JSONObject, of request: DialectRequest, _ receivedAt: Timestamp
    ) -> DialectBody.Envelope {
        var envelope = DialectBody.Envelope()
        envelope.sentAt = SenderTime(object["sent_at"], receivedAt: receivedAt)
        if let text = request.fields["posthog-request-timestamp"], let sent = Timestamp(rfc3339: text) {
            envelope.sentAt = SenderTime(literal: JSONString.literal(text), sent, receivedAt: receivedAt)
        }
        // `_`: milliseconds since 1970.
        if envelope.sentAt == nil, let sent = request.query["_"].flatMap({ Int64($0) }), (0..<1 << 48).contains(sent) {
            let time = Timestamp(microseconds: sent * 1000)
            envelope.sentAt = SenderTime(literal: JSONString.literal(time.rfc3339), time, receivedAt: receivedAt)
        }
        let isMigration = object["historical_migration"]?.isTrue ?? false
        envelope.keep(object) {
            $0 == "batch" || $0 == "sent_at" || keyNames.contains($0) || $0 == "historical_migration" && !isMigration
        }
        return envelope
    }

    /// The JSON of a form's or a query's `data`, or of a body that is encoded; nil where the body is text as it stands.
    /// `bytesMax`: of what it may become.
    static func decoded(
        _ body: UnsafeRawBufferPointer, _ request: DialectRequest, _ bytesMax: Int
    ) throws(Refusal) -> [UInt8]? {
        let compression = request.query["compression"]
        if body.isEmpty, let data = request.query["data"] { return try plain(data, compression, bytesMax) }
        guard request.contentType == "application/x-www-form-urlencoded" || body.starts(with: "data=".utf8) else {
            if isLZ(compression) { return try LZString.decompressed(body, bytesMax: bytesMax) }
            let isBase64 = compression == "base64" || compression == "b64"
            return isBase64 ? try fromBase64(String(decoding: body, as: UTF8.self)) : nil
        }
        // Some send JSON under that type.
        let first = body.first { !JSONScanner.isSpace($0) }
        guard first != UInt8(ascii: "{"), first != UInt8(ascii: "[") else { return nil }
        let form = FormFields(body)
        guard let data = form["data"] else { throw Refusal(.invalidJSON, "the form has no field data") }
        return try plain(data, compression ?? form["compression"], bytesMax)
    }

    /// `data` as JSON: it may be that, or in base64 what is, or what lz-string compressed.
    private static func plain(_ data: String, _ compression: String?, _ bytesMax: Int) throws(Refusal) -> [UInt8] {
        if data.hasPrefix("{") || data.hasPrefix("[") { return Array(data.utf8) }
        return try isLZ(compression)
            ? LZString.decompressed(Array(data.utf8), bytesMax: bytesMax) : fromBase64(data)
    }

    private static func isLZ(_ compression: String?) -> Bool { compression == "lz64" || compression == "lz-string" }

    private static func fromBase64(_ text: String) throws(Refusal) -> [UInt8] {
        // A form makes + a blank; some leave the padding out.
        var text = text.replacing(" ", with: "+").filter { !$0.isWhitespace }
        while text.utf8.count % 4 != 0 { text += "=" }
        guard let bytes = Data(base64Encoded: text) else { throw Refusal(.invalidJSON, "data is no base64") }
        return Array(bytes)
    }

    func write(tenant: Int32, receivedAt: Timestamp, into out: inout [UInt8]) throws(Refusal) {
        var line = EventLine(.postHog, tenant: tenant)
        let isProfile = message["event"] == nil && (path == "/engage" || message["$set"] != nil)
        line.type = isProfile ? JSONString.literal("$identify") : try type()
        let uuid = message["uuid"]
        line.id = uuid?.uuid ?? uuid?.id.map { ExternalEventID.id(of: [$0], tenant: tenant) }
        line.user = message["distinct_id"] ?? message["$distinct_id"]
        // Most events need nothing of what is in there.
        let isLink = line.type.starts(with: "\"$".utf8)
        if isLink || line.user == nil || line.id == nil { read(&line, isProfile: isProfile, tenant: tenant) }
        line.createdAt = message["timestamp"]?.time
        if line.createdAt == nil, let offset = message["offset"]?.milliseconds, (0..<1 << 48).contains(offset) {
            // So long before it was sent, whatever the time was: by a clock that is set to that.
            line.createdAt = Timestamp(microseconds: Self.offsetClock.microseconds - offset * 1000)
            line.clock = SenderTime(
                literal: JSONString.literal(Self.offsetClock.rfc3339), Self.offsetClock, receivedAt: receivedAt)
        }
        if !ignoresSentAt {
            line.sentAt = envelope.sentAt ?? SenderTime(message["sent_at"], receivedAt: receivedAt)
        }
        line.envelope = envelope.others
        line.write(payload: message.text, without: secrets, into: &out)
    }

    /// What stands in the event's properties.
    private func read(_ line: inout EventLine, isProfile: Bool, tenant: Int32) {
        let properties = message["properties"]?.object ?? [:]
        if line.user == nil { line.user = properties["distinct_id"] }
        if line.id == nil, let insert = properties["$insert_id"] {
            line.id = insert.uuid ?? insert.id.map { ExternalEventID.id(of: [$0], tenant: tenant) }
        }
        line.anonymousUser = properties["$anon_distinct_id"] ?? message["$anon_distinct_id"]
        let merges = ["\"$create_alias\"", "\"$merge_dangerously\""]
        if merges.contains(where: { line.type.elementsEqual($0.utf8) }) { line.previousUser = properties["alias"] }
    }

    /// Its sender knows that its clocks differ.
    private var ignoresSentAt: Bool {
        message["options"]?.object["disable_skew_correction"]?.isTrue ?? false
    }

    /// The event's type, as a string's literal.
    private func type() throws(Refusal) -> [UInt8] {
        guard let event = message["event"] else {
            throw Refusal(.missingField, "event is missing; the event's name is wanted there")
        }
        guard event.isString else { throw Refusal(.invalidEventType, "event is no string; the event's name is wanted") }
        return Array(event.bytes)
    }

    /// Keys of Millrace's in it: of the message, and of its properties.
    var secrets: [Range<Int>] {
        var places = SecretMember.places(Self.keyNames, in: message)
        guard let properties = message["properties"], let start = message.text.baseAddress,
            let own = properties.bytes.baseAddress, let token = Self.token(of: properties)
        else { return places }
        let place = SecretMember.place(of: token, in: properties.bytes)
        places.append(place.lowerBound + (own - start)..<place.upperBound + (own - start))
        return places.sorted { $0.lowerBound < $1.lowerBound }
    }

    /// Where a key is in the properties: nobody looks closer at those without one.
    private static func token(of properties: JSONPiece) -> Range<Int>? {
        guard properties.bytes.holds("\"mr_"), let token = properties.object["token"], SecretMember.isKey(token),
            let start = properties.bytes.baseAddress, let value = token.bytes.baseAddress
        else { return nil }
        return value - start..<value - start + token.bytes.count
    }
}
