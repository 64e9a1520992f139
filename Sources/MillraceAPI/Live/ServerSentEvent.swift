internal import HTTPTypes
internal import MillraceJSON
internal import NIOCore

/// Pieces of a stream in the form of the HTML standard, section 9.2 (text/event-stream). Nothing here has a line break but
/// those that the form wants.
enum ServerSentEvent {
    /// Of the answer: nobody on the way keeps it, or waits until there is more of it.
    static let fields: HTTPFields = {
        var fields: HTTPFields = [.contentType: "text/event-stream; charset=utf-8", .cacheControl: "no-store"]
        // What nginx asks for.
        if let name = HTTPField.Name("X-Accel-Buffering") { fields[name] = "no" }
        return fields
    }()

    /// What every stream begins with: how long a client waits before it comes again.
    static let opening = ByteBuffer(string: "retry: 2000\n\n")

    /// Says nothing, to whoever closes silent connections.
    static let heartbeat = ByteBuffer(string: ":\n\n")

    /// `data`: JSON in one line. `id`: a place to go on from.
    static func append(
        _ data: some Collection<UInt8>, name: StaticString? = nil, id: Int64? = nil, to stream: inout ByteBuffer
    ) {
        if let name {
            stream.writeStaticString("event: ")
            stream.writeStaticString(name)
            stream.writeStaticString("\n")
        }
        if let id { stream.writeString("id: \(id)\n") }
        stream.writeStaticString("data: ")
        stream.writeBytes(data)
        stream.writeStaticString("\n\n")
    }

    /// The last one of a stream.
    static func end(_ reason: StreamSignal.End) -> ByteBuffer {
        var stream = ByteBuffer()
        append(StreamEnd(reason: reason.rawValue, message: reason.message).json, name: "end", to: &stream)
        return stream
    }
}

/// Why a stream ends, for its reader.
private struct StreamEnd: JSONShape {
    var reason: String
    var message: String

    static let fields: [JSONField<Self>] = [JSONField("reason", \.reason), JSONField("message", \.message)]
}
