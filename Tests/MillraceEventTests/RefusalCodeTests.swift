import CMillrace
import MillraceEvent
import Testing

@Suite struct RefusalCodeTests {
    @Test func `the parser's numbers mean the same in Swift`() {
        let codes: [(Int, RefusalCode)] = [
            (MR_INVALID_JSON, .invalidJSON), (MR_INVALID_UTF8, .invalidUTF8), (MR_NOT_AN_OBJECT, .notAnObject),
            (MR_NESTING_TOO_DEEP, .nestingTooDeep), (MR_DUPLICATE_FIELD, .duplicateField),
            (MR_UNKNOWN_FIELD, .unknownField), (MR_MISSING_FIELD, .missingField),
            (MR_INVALID_EVENT_TYPE, .invalidEventType), (MR_INVALID_ID, .invalidID),
            (MR_INVALID_USER_ID, .invalidUserID), (MR_INVALID_PAYLOAD, .invalidPayload),
            (MR_PAYLOAD_TOO_LARGE, .payloadTooLarge), (MR_INVALID_CREATED_AT, .invalidCreatedAt),
            (MR_CREATED_AT_OUT_OF_RANGE, .createdAtOutOfRange), (MR_UNSUPPORTED_TEXT, .unsupportedText),
            (MR_NUMBER_OUT_OF_RANGE, .numberOutOfRange), (MR_LINE_TOO_LONG, .lineTooLong),
            (MR_INVALID_CONVERSATION_ID, .invalidConversationID), (MR_INVALID_QUESTION, .invalidQuestion),
            (MR_INVALID_RESPONSE, .invalidResponse), (MR_INVALID_TIMESTAMP, .invalidTimestamp),
            (MR_INVALID_SOURCE, .invalidSource), (MR_INVALID_METADATA, .invalidMetadata),
        ]
        #expect(codes.map(\.1) + [.forbiddenType, .deniedType, .schema] == RefusalCode.allCases)
        for (number, code) in codes { #expect(RefusalCode(parserCode: Int32(number)) == code) }
        for number: Int32 in [-1, 0, Int32(codes.count) + 1, Int32(codes.count) + 2] {
            #expect(RefusalCode(parserCode: number) == nil)
        }
    }
}
