package import MillraceEvent
internal import MillraceJSON

/// A committed event as the writers' encoder has it, valid during a call only.
package struct FeedRow {
    package var tenant: Int32
    /// In UTF-8.
    package var type: UnsafeRawBufferPointer
    package var userID: UniqueID?
    /// The JSON object as its sender wrote it.
    package var payload: UnsafeRawBufferPointer
    package var id: UniqueID
    package var createdAt: Timestamp
    package var receivedAt: Timestamp
    package var batchID: Int64

    package init(
        tenant: Int32, type: UnsafeRawBufferPointer, userID: UniqueID?, payload: UnsafeRawBufferPointer, id: UniqueID,
        createdAt: Timestamp, receivedAt: Timestamp, batchID: Int64
    ) {
        self.tenant = tenant
        self.type = type
        self.userID = userID
        self.payload = payload
        self.id = id
        self.createdAt = createdAt
        self.receivedAt = receivedAt
        self.batchID = batchID
    }

    /// Of the member of a payload, by the bytes of its name: no reader is shown a password.
    package static func isHidden(_ name: String) -> Bool { name.utf8.starts(with: "password".utf8) }

    /// The event in one line, as `GET /v1/events` shows it: the same members in the same order, without passwords. The
    /// payload's members stand in their sender's order, and its numbers as they were sent.
    package var event: FeedEvent {
        var json = JSONWriter()
        json.append(raw: "{\"id\":\"")
        json.append(raw: "\(id)".utf8)
        json.append(raw: "\",\"event_type\":")
        json.append(String(decoding: type, as: UTF8.self))
        json.append(raw: ",\"user_id\":")
        if let userID { json.append("\(userID)") } else { json.append(raw: "null") }
        json.append(raw: ",\"payload\":")
        json.append(raw: shownPayload)
        json.append(raw: ",\"created_at\":")
        json.append(Self.text(createdAt))
        json.append(raw: ",\"received_at\":")
        json.append(Self.text(receivedAt))
        json.append(raw: "}")
        return FeedEvent(id: id, batchID: batchID, json: json.bytes)
    }

    /// Line breaks can only be white space of the JSON, and would end a line of the stream.
    private var shownPayload: [UInt8] {
        let text = payload.map { $0 == 0x0A || $0 == 0x0D ? 0x20 : $0 }
        let members = JSONScanner.members(text[...])
        guard members.contains(where: { Self.isHidden($0.name) }) else { return text }
        var json = JSONWriter()
        json.append(raw: "{")
        for member in members where !Self.isHidden(member.name) {
            json.separate()
            json.append(raw: member.whole)
        }
        json.append(raw: "}")
        return json.bytes
    }

    /// As PostgreSQL prints it, with no more digits behind the second than are wanted.
    private static func text(_ time: Timestamp) -> String {
        let text = time.rfc3339
        guard text.hasSuffix("Z"), text.contains(".") else { return text }
        var digits = text.dropLast()
        while digits.last == "0" { digits.removeLast() }
        if digits.last == "." { digits.removeLast() }
        return String(digits) + "Z"
    }
}

/// A committed event on its way to who watches.
package struct FeedEvent: Sendable, Equatable {
    package var id: UniqueID
    /// Of its row: a place in the order of commits, roughly.
    package var batchID: Int64
    /// An object in one line.
    package var json: [UInt8]

    package init(id: UniqueID, batchID: Int64, json: [UInt8]) {
        self.id = id
        self.batchID = batchID
        self.json = json
    }
}
