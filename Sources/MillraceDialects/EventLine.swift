internal import MillraceEvent
internal import MillraceJSON

/// A message as a line of Millrace's own: `event_type` first and `payload` last, as a writer reads it fastest.
///
/// The payload is the message as it came, with all its members and their digits, and behind them `_millrace`. A client's
/// own member of that name is outdone by it, as jsonb keeps the last one.
struct EventLine {
    enum Source: String {
        case segment
        case rudderStack = "rudderstack"
        case postHog = "posthog"
        case cloudEvents = "cloudevents"
        case openTelemetry = "opentelemetry"
        case pixel
    }

    let source: Source
    let tenant: Int32
    /// A string's literal.
    var type: [UInt8] = []
    var id: UniqueID?
    var user: JSONPiece?
    var anonymousUser: JSONPiece?
    var previousUser: JSONPiece?
    var createdAt: Timestamp?
    var sentAt: SenderTime?
    /// Another clock than that, by which `createdAt` is meant.
    var clock: SenderTime?
    /// Members around the messages, which belong to each of them, as an object.
    var envelope: [UInt8] = []

    init(_ source: Source, tenant: Int32) {
        self.source = source
        self.tenant = tenant
    }

    /// Writes the line without a newline. `payload`: the message, an object. `without`: places in it to leave out, each
    /// with a comma, ascending.
    func write(payload: UnsafeRawBufferPointer, without gaps: [Range<Int>] = [], into out: inout [UInt8]) {
        out.removeAll(keepingCapacity: true)
        out.append("{\"event_type\":")
        out.append(contentsOf: type)
        if let id {
            out.append(",\"id\":\"")
            id.append(to: &out)
            out.append("\"")
        }
        let user = user.flatMap { userID($0) }
        if let user {
            out.append(",\"user_id\":\"")
            user.append(to: &out)
            out.append("\"")
        }
        if let createdAt {
            out.append(",\"created_at\":\"")
            out.append(contentsOf: createdAt.rfc3339.utf8)
            out.append("\"")
            // Others need no second look at the time.
            if let sentAt = clock ?? sentAt, sentAt.isOff {
                out.append(",\"sent_at\":")
                out.append(contentsOf: sentAt.literal)
            }
        }
        out.append(",\"payload\":")
        Self.append(UnsafeRawBufferPointer(rebasing: payload.dropLast()), without: gaps, to: &out)
        // A comma at the end is of a member that was left out.
        while let last = out.last, JSONScanner.isSpace(last) || last == UInt8(ascii: ",") { out.removeLast() }
        if out.last != UInt8(ascii: "{") { out.append(",") }
        appendOwn(user, to: &out)
        out.append("}}")
    }

    static func append(_ text: UnsafeRawBufferPointer, without gaps: [Range<Int>], to out: inout [UInt8]) {
        var end = 0
        for gap in gaps {
            out.append(contentsOf: text[end..<max(end, gap.lowerBound)])
            end = gap.upperBound
        }
        out.append(contentsOf: text[end...])
    }

    /// `"_millrace":{…}`.
    private func appendOwn(_ user: UniqueID?, to out: inout [UInt8]) {
        out.append("\"_millrace\":{\"source\":\"")
        out.append(contentsOf: source.rawValue.utf8)
        out.append("\"")
        if user != nil, let name = self.user?.id {
            out.append(",\"user\":")
            JSONString.append(name, to: &out)
        }
        append("anonymous_user_id", anonymousUser, to: &out)
        append("previous_user_id", previousUser, to: &out)
        if let sentAt {
            out.append(",\"sent_at\":")
            out.append(contentsOf: sentAt.literal)
        }
        if !envelope.isEmpty {
            out.append(",\"envelope\":")
            out.append(contentsOf: envelope)
        }
        out.append("}")
    }

    private func append(_ name: StaticString, _ user: JSONPiece?, to out: inout [UInt8]) {
        guard let id = user.flatMap({ userID($0) }) else { return }
        out.append(",\"")
        out.append(name)
        out.append("\":\"")
        id.append(to: &out)
        out.append("\"")
    }

    /// Nil for nobody.
    private func userID(_ piece: JSONPiece) -> UniqueID? {
        if let id = piece.uuid { return id }
        guard let name = piece.id else { return nil }
        let id = ExternalUserID.id(of: name, tenant: tenant)
        return id.isOfNobody ? nil : id
    }
}

/// When a sender sent something, by its own clock.
struct SenderTime {
    /// Less is right for sure: the parser corrects times from a minute on.
    private static let differenceMin: Int64 = 50_000_000

    /// A string's.
    let literal: [UInt8]
    /// The clock may be so wrong that times are to be corrected.
    let isOff: Bool

    init(literal: [UInt8], _ time: Timestamp, receivedAt: Timestamp) {
        self.literal = literal
        isOff = abs(receivedAt.microseconds - time.microseconds) > Self.differenceMin
    }

    /// Nil for what is no time in a string with its offset.
    init?(_ piece: JSONPiece?, receivedAt: Timestamp) {
        guard let piece, let text = piece.text, let time = Timestamp(rfc3339: text) else { return nil }
        self.init(literal: Array(piece.bytes), time, receivedAt: receivedAt)
    }
}

extension [UInt8] {
    mutating func append(_ text: StaticString) {
        append(contentsOf: UnsafeRawBufferPointer(start: text.utf8Start, count: text.utf8CodeUnitCount))
    }
}
