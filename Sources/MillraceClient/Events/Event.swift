public import FoundationEssentials
internal import Synchronization

extension MillraceClient {
    /// One event, with the id that makes it count once however often it is sent.
    ///
    /// ```swift
    /// let event = try MillraceClient.Event("order.paid", userID: user, payload: ["total": 12.5, "currency": "EUR"])
    /// ```
    ///
    /// The id is made with the event, so keep the value, and send the same one again when you don't know what became of it.
    /// Two events that are made alike are two.
    public struct Event: Sendable, Hashable, Identifiable {
        /// A UUID of version 7 whose time is the event's, unless the caller brought another one.
        public let id: UUID
        /// What happened, such as `order.paid`.
        public let type: String
        /// The event as it goes to the daemon, without the line's end.
        package let line: [UInt8]

        /// Makes an event of a payload written as literals.
        ///
        /// - Parameters:
        ///   - type: 1 to 200 bytes without control characters; the daemon refuses another one.
        ///   - userID: whom it is of.
        ///   - payload: at most 256 KiB as JSON, and 64 levels deep; the daemon refuses a larger one.
        ///   - createdAt: when it happened, kept to the millisecond; now where it is left out.
        ///   - id: of an event that has an identity already. One of another version than 7 wants `createdAt`, else the daemon
        ///     remembers it for a week only.
        /// - Throws: ``MillraceClientError`` with ``MillraceClientError/Code/invalidEvent`` for what is no JSON.
        public init(
            _ type: String, userID: UUID? = nil, payload: [String: JSONValue] = [:], createdAt: Date? = nil,
            id: UUID? = nil
        ) throws(MillraceClientError) {
            try self.init(type, userID: userID, encoding: payload, createdAt: createdAt, id: id)
        }

        /// Makes an event whose payload is a value of your own.
        ///
        /// ```swift
        /// struct Payment: Encodable { var order: Int, total: Decimal }
        /// let event = try MillraceClient.Event("order.paid", encoding: Payment(order: 7, total: Decimal(1250) / 100))
        /// ```
        ///
        /// - Parameters:
        ///   - type: 1 to 200 bytes without control characters; the daemon refuses another one.
        ///   - userID: whom it is of.
        ///   - payload: must encode as a JSON object. A `Date` in it becomes RFC 3339 in UTC.
        ///   - createdAt: when it happened, kept to the millisecond; now where it is left out.
        ///   - id: of an event that has an identity already. One of another version than 7 wants `createdAt`, else the daemon
        ///     remembers it for a week only.
        /// - Throws: ``MillraceClientError`` with ``MillraceClientError/Code/invalidEvent`` for what is no JSON.
        public init(
            _ type: String, userID: UUID? = nil, encoding payload: some Encodable, createdAt: Date? = nil,
            id: UUID? = nil
        ) throws(MillraceClientError) {
            let milliseconds = try createdAt.map { (date) throws(MillraceClientError) in try Self.milliseconds(date) }
            self.id = id ?? Self.newID(milliseconds: milliseconds ?? Self.now)
            self.type = type
            let body = Body(
                id: self.id.uuidString.lowercased(), event_type: type, user_id: userID?.uuidString.lowercased(),
                payload: payload, created_at: milliseconds)
            let encoder = JSONEncoder()
            encoder.dateEncodingStrategy = .iso8601
            encoder.outputFormatting = .withoutEscapingSlashes
            do {
                line = Array(try encoder.encode(body))
            } catch {
                throw MillraceClientError(
                    .invalidEvent, "the payload of \(type.prefix(200)) is no JSON: \(Self.reason(error))",
                    hint: "Leave out what JSON has no form for, such as numbers that are not finite")
            }
        }

        /// As the daemon names the fields.
        private struct Body<Payload: Encodable>: Encodable {
            var id: String
            // The names are those of the wire.
            // swift-format-ignore: AlwaysUseLowerCamelCase
            var event_type: String
            // swift-format-ignore: AlwaysUseLowerCamelCase
            var user_id: String?
            var payload: Payload
            // swift-format-ignore: AlwaysUseLowerCamelCase
            var created_at: Int64?
        }

        private static let generator = Mutex(EventIDGenerator())

        private static var now: Int64 { Int64(Date().timeIntervalSince1970 * 1000) }

        private static func newID(milliseconds: Int64) -> UUID {
            generator.withLock { generator in
                var random = SystemRandomNumberGenerator()
                return generator.next(milliseconds: UInt64(bitPattern: milliseconds), using: &random)
            }
        }

        /// Before 1970 there is no time of an id; nor is there one beyond its 48 bits.
        private static func milliseconds(_ date: Date) throws(MillraceClientError) -> Int64 {
            let milliseconds = (date.timeIntervalSince1970 * 1000).rounded()
            guard milliseconds >= 0, milliseconds < 0x1p48 else {
                throw MillraceClientError(
                    .invalidEvent, "createdAt is before 1970 or after the year 10889",
                    hint: "Give the time at which the event happened")
            }
            return Int64(milliseconds)
        }

        /// Without the values, which may be secrets.
        private static func reason(_ error: any Error) -> String {
            switch error {
            case EncodingError.invalidValue(_, let context):
                let path = context.codingPath.map(\.stringValue).joined(separator: ".")
                return "the value at \(path.isEmpty ? "its top" : path) has no JSON form"
            default: return "it can't be encoded"
            }
        }
    }
}
