internal import MillraceEvent
internal import MillraceJSON

/// An event that is the query of a picture: `GET /p.gif`.
struct PixelMessage {
    private let message: JSONObject

    init(_ message: JSONObject) { self.message = message }

    /// What is no payload.
    private static let names: Set<String> = ["type", "id", "user", "time"]

    /// The query as a message: its members, and all others as strings of its payload.
    static func text(of query: FormFields) -> [UInt8] {
        var (own, payload) = (JSONWriter.begunObject(), JSONWriter.begunObject())
        for item in query.items where !DialectRequest.keyNames.contains(item.name) || !isKey(item) {
            if names.contains(item.name) {
                own.append(name: item.name)
                own.append(item.value)
            } else {
                payload.append(name: item.name)
                payload.append(item.value)
            }
        }
        payload.append(raw: "}")
        own.append(name: "payload")
        own.append(raw: payload.bytes)
        own.append(raw: "}")
        return own.bytes
    }

    /// Other names than `key` may say something else.
    private static func isKey(_ item: FormFields.Item) -> Bool { item.name == "key" || item.value.hasPrefix("mr_") }

    func write(tenant: Int32, into out: inout [UInt8]) throws(Refusal) {
        var line = EventLine(.pixel, tenant: tenant)
        line.type = message["type"].map { Array($0.bytes) } ?? JSONString.literal("page.viewed")
        let id = message["id"]
        line.id = id?.uuid ?? id?.id.map { ExternalEventID.id(of: [$0], tenant: tenant) }
        line.user = message["user"]
        line.createdAt = try time()
        guard let payload = message["payload"] else { throw Refusal(.missingField, "payload is missing") }
        line.write(payload: payload.bytes, into: &out)
    }

    /// RFC 3339, or milliseconds since 1970.
    private func time() throws(Refusal) -> Timestamp? {
        guard let text = message["time"]?.text else { return nil }
        if let milliseconds = Int64(text), milliseconds.magnitude < 1 << 48 {
            return Timestamp(microseconds: milliseconds * 1000)
        }
        guard let time = Timestamp(rfc3339: text) else {
            throw Refusal(
                .invalidCreatedAt, "time is no such time; RFC 3339 with offset or milliseconds since 1970 is wanted")
        }
        return time
    }
}
