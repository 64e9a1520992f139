package import CMillrace

/// Why a line (an item of a body) is refused. Raw value = wire code = metric tag = `dead_letters.code`.
package enum RefusalCode: String, Sendable, CaseIterable {
    case invalidJSON = "invalid_json"
    case invalidUTF8 = "invalid_utf8"
    case notAnObject = "not_an_object"
    case nestingTooDeep = "nesting_too_deep"
    case duplicateField = "duplicate_field"
    case unknownField = "unknown_field"
    case missingField = "missing_field"
    case invalidEventType = "invalid_event_type"
    case invalidID = "invalid_id"
    case invalidUserID = "invalid_user_id"
    case invalidPayload = "invalid_payload"
    case payloadTooLarge = "payload_too_large"
    case invalidCreatedAt = "invalid_created_at"
    case createdAtOutOfRange = "created_at_out_of_range"
    case unsupportedText = "unsupported_text"
    case numberOutOfRange = "number_out_of_range"
    case lineTooLong = "line_too_long"
    case invalidConversationID = "invalid_conversation_id"
    case invalidQuestion = "invalid_question"
    case invalidResponse = "invalid_response"
    case invalidTimestamp = "invalid_timestamp"
    case invalidSource = "invalid_source"
    case invalidMetadata = "invalid_metadata"
    /// Its sender's key may not send this type; no parser says so, nor what follows.
    case forbiddenType = "forbidden_type"
    /// A rule does not want this type.
    case deniedType = "denied_type"
    /// It does not fit a rule's schema.
    case schema

    /// From the number that the C parser returns; nil for `MR_ACCEPTED` and for numbers it never returns.
    package init?(parserCode: Int32) {
        guard parserCode > 0, parserCode <= Int32(MR_INVALID_METADATA) else { return nil }
        self = Self.allCases[Int(parserCode) - 1]
    }
}

/// A refused line: the code, and a sentence that says what was wrong and what is wanted.
package struct Refusal: Error, Sendable, Equatable {
    package var code: RefusalCode
    package var message: String

    package init(_ code: RefusalCode, _ message: String) {
        self.code = code
        self.message = message
    }

    /// `byteCount`: of the line. `max`: of the longest line that is accepted.
    package static func lineTooLong(_ byteCount: Int, max: Int) -> Refusal {
        Refusal(.lineTooLong, "it has \(byteCount) bytes; at most \(max) are taken")
    }

    /// From the C parser.
    package init(_ refusal: mr_refusal) {
        guard let code = RefusalCode(parserCode: refusal.code) else {
            preconditionFailure("the parser refuses with a code that RefusalCode does not know")
        }
        let message = withUnsafeBytes(of: refusal.message) { String(decoding: $0.prefix { $0 != 0 }, as: UTF8.self) }
        self.init(code, message)
    }
}
