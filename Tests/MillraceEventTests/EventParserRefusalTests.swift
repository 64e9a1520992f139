import MillraceEvent
import Testing

private let uuid = "0a1b2c3d-4e5f-4678-9abc-def012345678"

private func event(_ field: String) -> String { #"{"event_type":"a",\#(field)}"# }

private func save(
    id: String = #""c""#, question: String = #""q""#, response: String = #""r""#, user: String = "\"\(uuid)\"",
    _ rest: String = ""
) -> String {
    #"{"conversation_id":\#(id),"question":\#(question),"response":\#(response),"user_id":\#(user)\#(rest)}"#
}

@Suite struct EventParserRefusalTests {
    /// Each line with its code and a part of its message.
    static let refusals: [(String, RefusalCode, String)] = [
        ("", .invalidJSON, "one JSON object is wanted"),
        (" \t\r\n", .invalidJSON, "one JSON object is wanted"),
        ("hello", .invalidJSON, "a value is wanted, not \"hello\""),
        ("{", .invalidJSON, "it ends where a name in quotes is wanted"),
        (#"{"event_type":"a"} x"#, .invalidJSON, "at byte 20: the end of the line is wanted, not \"x\""),
        (#"{"event_type":"a"}{}"#, .invalidJSON, "the end of the line"),
        (#"{"event_type":"a"}}"#, .invalidJSON, "the end of the line"),
        (#"{"event_type":"a",}"#, .invalidJSON, "a name in quotes"),
        (#"{"event_type":"a""id":1}"#, .invalidJSON, "',' or '}'"),
        (#"{"event_type" "a"}"#, .invalidJSON, "':' behind the name"),
        (#"{event_type:"a"}"#, .invalidJSON, "a name in quotes"),
        (#"{"event_type":"a"#, .invalidJSON, "a string is not closed"),
        ("{\"event_type\":\"a\tb\"}", .invalidJSON, "control character"),
        ("{\"event_type\":\"a\u{0}b\"}", .invalidJSON, "control character"),
        ("{\"event_type\":\u{c}\"a\"}", .invalidJSON, "a value"),
        ("{\"event_type\":\"a\"\u{1a}\"b\"}", .invalidJSON, "',' or '}'"),
        (#"{"event_type":"a\x"}"#, .invalidJSON, "one of the escapes"),
        (#"{"event_type":"a\u12g4"}"#, .invalidJSON, "one of the escapes"),
        (#"{"event_type":"a\u12"}"#, .invalidJSON, "one of the escapes"),
        (#"{"event_type":"\ud83d\u12"}"#, .invalidJSON, "one of the escapes"),
        (event(#""payload":[1,]"#), .invalidJSON, "a value"),
        (event(#""payload":{"a":1,}"#), .invalidJSON, "a name in quotes"),
        (event(#""payload":{"a":[1}}"#), .invalidJSON, "',' or ']'"),
        (event(#""payload":{"a":tru}"#), .invalidJSON, "true is wanted"),
        (event(#""payload":{"a":nulll}"#), .invalidJSON, "white space"),
        (event(#""payload":{"a":falsefalse}"#), .invalidJSON, "white space"),
        (event(#""payload":{"a":NaN}"#), .invalidJSON, "a value"),
        (event(#""payload":{"a":01}"#), .invalidJSON, "white space"),
        (event(#""payload":{"a":-}"#), .invalidJSON, "a number"),
        (event(#""payload":{"a":+1}"#), .invalidJSON, "a value"),
        (event(#""payload":{"a":.5}"#), .invalidJSON, "a value"),
        (event(#""payload":{"a":1.}"#), .invalidJSON, "a number"),
        (event(#""payload":{"a":1e}"#), .invalidJSON, "a number"),
        (event(#""payload":{"a":1e+}"#), .invalidJSON, "a number"),
        (event(#""payload":{"a":1"b"}"#), .invalidJSON, "white space"),
        (event(#""payload":{"a":\"b\"}"#), .invalidJSON, "a value"),
        ("[1,2]", .notAnObject, "this is an array"),
        (#""a""#, .notAnObject, "this is a string"),
        ("12", .notAnObject, "this is a number"),
        ("true", .notAnObject, "this is a boolean"),
        ("null", .notAnObject, "this is null"),
        ("[1,2", .invalidJSON, "',' or ']'"),
        (event(#""event_type":"b""#), .duplicateField, "event_type is given twice"),
        (event(#""event_t\u0079pe":"b""#), .duplicateField, "event_type is given twice"),
        (event(#""payload":{},"payload":{}"#), .duplicateField, "payload is given twice"),
        (#"{"event_typ":"a"}"#, .unknownField, "\"event_typ\"; the fields of an event are event_type"),
        (event(#""question":"b""#), .unknownField, "\"question\""),
        (event(#""conversation_id":"b""#), .unknownField, "\"conversation_id\""),
        (event(#""":1"#), .unknownField, "\"\""),
        (save(#","payload":{}"#), .unknownField, "\"payload\"; the fields of a conversation save are conversation_id"),
        ("{}", .missingField, "event_type is missing"),
        (#"{"id":"\#(uuid)"}"#, .missingField, "event_type is missing"),
        (#"{"conversation_id":"c"}"#, .missingField, "question is missing"),
        (#"{"conversation_id":"c","question":"q","response":"r"}"#, .missingField, "user_id is missing"),
        (#"{"event_type":""}"#, .invalidEventType, "has 0 bytes; 1 to 200"),
        (#"{"event_type":null}"#, .invalidEventType, "is null; a string is wanted"),
        (#"{"event_type":["a"]}"#, .invalidEventType, "is an array"),
        (#"{"event_type":"a\n"}"#, .invalidEventType, "\"a?\" has a control character"),
        ("{\"event_type\":\"a\u{7f}\"}", .invalidEventType, "control character"),
        ("{\"event_type\":\"a\u{9f}b\"}", .invalidEventType, "\"a?b\" has a control character"),
        (event(#""id":null"#), .invalidID, "leave the field out"),
        (event(#""id":12"#), .invalidID, "is a number; a UUID"),
        (event(#""id":"0a1b2c3d4e5f46789abcdef012345678""#), .invalidID, "is no UUID"),
        (event(#""id":"{0a1b2c3d-4e5f-4678-9abc-def012345678}""#), .invalidID, "is no UUID"),
        (event(#""id":"0a1b2c3d-4e5f-4678-9abc-def01234567g""#), .invalidID, "is no UUID"),
        (event(#""user_id":"ann@example.org""#), .invalidUserID, "is an e-mail address; a UUID"),
        (event(#""user_id":"ann""#), .invalidUserID, "\"ann\" is no UUID"),
        (event(#""user_id":7"#), .invalidUserID, "is a number; a UUID"),
        (event(#""payload":null"#), .invalidPayload, "leave the field out"),
        (event(#""payload":[]"#), .invalidPayload, "is an array; an object"),
        (event(#""created_at":null"#), .invalidCreatedAt, "leave the field out"),
        (event(#""created_at":1.5"#), .invalidCreatedAt, "1.5 is no whole number"),
        (event(#""created_at":1795000000e3"#), .invalidCreatedAt, "no whole number"),
        (event(#""created_at":true"#), .invalidCreatedAt, "is a boolean"),
        (event(#""created_at":"yesterday""#), .invalidCreatedAt, "\"yesterday\" is no such time; RFC 3339"),
        (
            event(#""created_at":"2015-09-12T00:47:00Z""#), .createdAtOutOfRange,
            "2015-09-12T00:47:00Z, is out of range; a time from 2025-10-13T12:00:00Z to 2026-11-21T12:00:00Z is wanted"
        ),
        (event(#""created_at":1795262400001"#), .createdAtOutOfRange, "is out of range"),
        (event(#""created_at":-1"#), .createdAtOutOfRange, "1969-12-31T23:59:59Z, is out of range"),
        (event(#""created_at":9999999999999999999999"#), .createdAtOutOfRange, "is out of range"),
        (event(#""id":"00000000-0000-7000-8000-000000000000""#), .createdAtOutOfRange, "the time in the UUIDv7 id"),
        (event(#""payload":{"a":"\u0000"}"#), .unsupportedText, "\\u0000 at byte 35"),
        (event(#""payload":{"\u0000":1}"#), .unsupportedText, "\\u0000"),
        (event(#""payload":{"a":"\ud800"}"#), .unsupportedText, "half of a surrogate pair"),
        (event(#""payload":{"a":"\udc00\ud800"}"#), .unsupportedText, "half of a surrogate pair"),
        (event(#""payload":{"a":"\ud800\n"}"#), .unsupportedText, "half of a surrogate pair"),
        (event(#""payload":{"a":"\ud800\ud800\udc00"}"#), .unsupportedText, "half of a surrogate pair"),
        (#"{"\ud800":1,"event_type":"a"}"#, .unsupportedText, "half of a surrogate pair"),
        (save(question: #""\u0000""#), .unsupportedText, "\\u0000"),
        (event(#""payload":{"a":1e400000}"#), .numberOutOfRange, "\"1e400000\" is beyond PostgreSQL's numeric"),
        (save(id: #""""#), .invalidConversationID, "has 0 bytes"),
        (save(id: #""a\tb""#), .invalidConversationID, "control character"),
        (save(id: "7"), .invalidConversationID, "is a number; a string"),
        (save(question: #""""#), .invalidQuestion, "question is empty"),
        (save(question: "null"), .invalidQuestion, "is null"),
        (save(response: "{}"), .invalidResponse, "is an object; a string"),
        (save(user: "null"), .invalidUserID, "user_id is null; a UUID"),
        (save(user: #""ann@example.org""#), .invalidUserID, "e-mail"),
        (save(#","timestamp":1795000000000"#), .invalidTimestamp, "is a number; RFC 3339"),
        (save(#","timestamp":null"#), .invalidTimestamp, "leave the field out"),
        (save(#","timestamp":"2026-02-29T00:00:00Z""#), .invalidTimestamp, "is no such time"),
        (save(#","timestamp":"2024-02-29T00:00:00Z""#), .createdAtOutOfRange, "timestamp, 2024-02-29T00:00:00Z"),
        (save(#","source":null"#), .invalidSource, "leave the field out"),
        (save(#","source":1"#), .invalidSource, "is a number"),
        (save(#","metadata":null"#), .invalidMetadata, "leave the field out"),
        (save(#","metadata":"{}""#), .invalidMetadata, "is a string; an object"),
    ]

    let parser = EventParser()

    @Test(arguments: Self.refusals)
    func `each refusal has its code and says what is wanted`(line: String, code: RefusalCode, part: String) throws {
        let refusal = try #require(parser.refusal(line), "\(line) is accepted")
        #expect(refusal.code == code, "\(refusal)")
        #expect(refusal.message.contains(part), "\(refusal.message)")
        let says = ["wanted", "needs it", "the fields of"].contains { refusal.message.contains($0) }
        #expect(says, "\(refusal.message)")
    }

    @Test(
        arguments: [
            [0xFF], [0xC0, 0x80], [0xC3], [0xE0, 0x80, 0x80], [0xED, 0xA0, 0x80], [0xF4, 0x90, 0x80, 0x80], [0xF8],
            [0x80], [0xF0, 0x9F, 0x98],
        ] as [[UInt8]])
    func `bytes that are not UTF-8 are refused with their place`(bytes: [UInt8]) {
        for (before, after) in [(#"{"event_type":"a"#, #""}"#), ("{", "}"), (#"{"event_type":"a"}"#, "")] {
            let refusal = parser.refusal(Array(before.utf8) + bytes + Array(after.utf8))
            #expect(refusal?.code == .invalidUTF8)
            #expect(refusal?.message.hasPrefix("byte \(before.utf8.count + 1) ") == true, "\(refusal?.message ?? "")")
        }
    }

    @Test func `a message quotes at most 60 bytes, whole characters, without control characters`() throws {
        let refusal = try #require(parser.refusal(#"{"\u0007\#(String(repeating: "é", count: 100))":1}"#))
        #expect(refusal.message.hasPrefix("unknown field \"?\(String(repeating: "é", count: 29))…\"; "))
        let long = try #require(parser.refusal("{\"" + String(repeating: "日", count: 100_000) + "\":1}"))
        #expect(long.message.contains(String(repeating: "日", count: 20) + "…\""))
        #expect(!long.message.contains("\u{FFFD}"))
    }

    @Test func `an address is not quoted`() throws {
        let refusal = try #require(parser.refusal(event(#""user_id":"ann@example.org""#)))
        #expect(!refusal.message.contains("ann"))
    }

    @Test func `grammar is judged before the fields`() {
        #expect(parser.refusal(#"{"nonsense":1,"nonsense":2,"event_type":]}"#)?.code == .invalidJSON)
        #expect(parser.refusal(#"{"nonsense":"\ud800","event_type":"\q"}"#)?.code == .invalidJSON)
    }
}
