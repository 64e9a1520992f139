import MillraceDialects
import MillraceEvent

/// A body in a dialect, and what became of its messages.
struct Translated {
    static let receivedAt = Timestamp(microseconds: 1_793_000_000_000_000)

    static let bodyBytesMax = 1 << 20

    var key: String?
    /// In the order of the messages.
    var lines: [Result<String, Refusal>] = []
    /// Without keys.
    var kept: [String] = []
    var uuids: [String?] = []

    init(
        _ dialect: Dialect, _ uri: String, _ body: String,
        fields: [(String, String)] = [("Content-Type", "application/json")], tenant: Int32 = 0
    ) throws {
        try self.init(dialect, uri, bytes: Array(body.utf8), fields: fields, tenant: tenant)
    }

    init(_ dialect: Dialect, _ uri: String, bytes body: [UInt8], fields: [(String, String)], tenant: Int32 = 0) throws {
        let request = DialectRequest(dialect, uri: uri, fields: fields)
        let padded = body + [UInt8](repeating: 0x7D, count: EventParser.paddingBytes)
        try padded.withUnsafeBytes { padded in
            let bytes = UnsafeRawBufferPointer(rebasing: padded[..<body.count])
            let messages = try request.messages(
                of: bytes, receivedAt: Self.receivedAt, itemBytesMax: LimitsConfiguration().lineBytes,
                bodyBytesMax: Self.bodyBytesMax)
            key = messages.key
            while !messages.isAtEnd {
                var line: [UInt8] = []
                do throws(Refusal) {
                    try messages.next(tenant: tenant, into: &line)
                    lines.append(.success(String(decoding: line, as: UTF8.self)))
                } catch {
                    lines.append(.failure(error))
                }
                kept.append(String(decoding: messages.keptMessage, as: UTF8.self))
                uuids.append(messages.uuid.map { String(decoding: $0, as: UTF8.self) })
            }
        }
    }

    /// As the parser takes them.
    func events() throws -> [AnalyticsEvent] {
        let parser = EventParser()
        return try lines.map { line in
            let text = try line.get()
            let padded = Array(text.utf8) + [UInt8](repeating: 0, count: EventParser.paddingBytes)
            return try padded.withUnsafeBytes { padded in
                let bytes = UnsafeRawBufferPointer(rebasing: padded[..<text.utf8.count])
                guard
                    case .event(let event) = try parser.parse(bytes, limits: EventLimits(), receivedAt: Self.receivedAt)
                else { throw Refusal(.missingField, "no event") }
                return event
            }
        }
    }

    var refusals: [RefusalCode?] {
        lines.map { line in
            if case .failure(let refusal) = line { refusal.code } else { nil }
        }
    }
}
