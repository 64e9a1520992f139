import MillraceEvent

/// Lines that must be refused, at least one for each code of the contract.
struct RefusedLine: Sendable, CustomStringConvertible {
    var code: RefusalCode
    var bytes: [UInt8]
    /// A word of the message that says what is wanted.
    var wants: String

    init(_ code: RefusalCode, _ line: String, wants: String = "") {
        self.init(code, Array(line.utf8), wants: wants)
    }

    init(_ code: RefusalCode, _ bytes: [UInt8], wants: String = "") {
        self.code = code
        self.bytes = bytes
        self.wants = wants
    }

    var description: String { "\(code.rawValue): \(String(decoding: bytes.prefix(80), as: UTF8.self))" }

    /// False for what no JSON array can hold without breaking it.
    var fitsArray: Bool { code != .invalidJSON && code != .invalidUTF8 }

    private static let user = "0192b1a4-7c3e-7a51-9f0e-2d6c1b8e4f70"

    private static func event(_ rest: String) -> String { #"{"event_type":"refused","# + rest + "}" }

    private static func save(_ fields: String...) -> String {
        var all = [
            "conversation_id": #""c""#, "question": #""q""#, "response": #""r""#, "user_id": "\"\(user)\"",
        ]
        for field in fields {
            let parts = field.split(separator: ":", maxSplits: 1)
            all[String(parts[0])] = parts.count == 2 ? String(parts[1]) : nil
        }
        return "{" + all.sorted { $0.key < $1.key }.map { "\"\($0.key)\":\($0.value)" }.joined(separator: ",") + "}"
    }

    private static func nested(_ depth: Int) -> String {
        String(repeating: #"{"a":"#, count: depth - 1) + "{}" + String(repeating: "}", count: depth - 1)
    }

    static let all: [RefusedLine] = [
        RefusedLine(.invalidJSON, #"{"event_type":"refused""#),
        RefusedLine(.invalidJSON, #"{"event_type":"refused",}"#),
        RefusedLine(.invalidJSON, #"{'event_type':'refused'}"#),
        RefusedLine(.invalidJSON, #"{"event_type":"refused"}{"event_type":"refused"}"#),
        RefusedLine(.invalidJSON, event(#""payload":{"n":01}"#)),
        RefusedLine(.invalidJSON, event(#""payload":{"n":NaN}"#)),
        RefusedLine(
            .invalidUTF8, Array(#"{"event_type":"refu"#.utf8) + [0xC3, 0x28] + Array(#"sed"}"#.utf8), wants: "UTF-8"),
        RefusedLine(.notAnObject, "[1,2]", wants: "object"),
        RefusedLine(.notAnObject, #""text""#, wants: "object"),
        RefusedLine(.notAnObject, "null", wants: "object"),
        RefusedLine(.nestingTooDeep, event(#""payload":"# + nested(65)), wants: "64"),
        RefusedLine(.duplicateField, event(#""event_type":"refused""#), wants: "event_type"),
        RefusedLine(.duplicateField, event(#""payload":{},"payload":{}"#), wants: "payload"),
        RefusedLine(.unknownField, event(#""evnt_type":"typo""#), wants: "evnt_type"),
        RefusedLine(.unknownField, event(#""timestamp":"2026-11-01T00:00:00Z""#), wants: "timestamp"),
        RefusedLine(.missingField, "{}", wants: "event_type"),
        RefusedLine(.missingField, #"{"payload":{}}"#, wants: "event_type"),
        RefusedLine(.missingField, save("question"), wants: "question"),
        RefusedLine(.invalidEventType, #"{"event_type":""}"#, wants: "200"),
        RefusedLine(.invalidEventType, #"{"event_type":7}"#, wants: "string"),
        RefusedLine(.invalidEventType, #"{"event_type":null}"#, wants: "string"),
        RefusedLine(.invalidEventType, #"{"event_type":"a\u0007b"}"#, wants: "control"),
        RefusedLine(.invalidEventType, #"{"event_type":""# + String(repeating: "ü", count: 101) + #""}"#, wants: "200"),
        RefusedLine(.invalidID, event(#""id":"17""#), wants: "UUID"),
        RefusedLine(.invalidID, event(#""id":17"#), wants: "UUID"),
        RefusedLine(.invalidUserID, event(#""user_id":"someone@example.org""#), wants: "UUID"),
        RefusedLine(.invalidPayload, event(#""payload":[1]"#), wants: "object"),
        RefusedLine(.invalidPayload, event(#""payload":"text""#), wants: "object"),
        RefusedLine(
            .payloadTooLarge, event(#""payload":{"a":""# + String(repeating: "x", count: 262_144) + #""}"#),
            wants: "262144"),
        RefusedLine(.invalidCreatedAt, event(#""created_at":"yesterday""#), wants: "RFC 3339"),
        RefusedLine(.invalidCreatedAt, event(#""created_at":"2026-11-01T00:00:00""#), wants: "offset"),
        RefusedLine(.invalidCreatedAt, event(#""created_at":"2026-02-30T00:00:00Z""#), wants: "RFC 3339"),
        RefusedLine(.invalidCreatedAt, event(#""created_at":true"#), wants: "RFC 3339"),
        RefusedLine(.createdAtOutOfRange, event(#""created_at":"2015-09-12T00:00:00Z""#), wants: "range"),
        RefusedLine(.createdAtOutOfRange, event(#""created_at":99999999999999"#), wants: "range"),
        RefusedLine(.unsupportedText, event(#""payload":{"a":"\u0000"}"#), wants: "PostgreSQL"),
        RefusedLine(.unsupportedText, event(#""payload":{"a":"\ud83d"}"#), wants: "surrogate"),
        RefusedLine(.unsupportedText, event(#""payload":{"\udc00":1}"#), wants: "surrogate"),
        RefusedLine(.numberOutOfRange, event(#""payload":{"n":1e400000}"#), wants: "numeric"),
        RefusedLine(.numberOutOfRange, event(#""payload":{"n":[-1e-400000]}"#), wants: "numeric"),
        RefusedLine(
            .lineTooLong, event(#""payload":{"a":""# + String(repeating: "x", count: 1 << 20) + #""}"#),
            wants: "1048576"),
        RefusedLine(.invalidConversationID, save(#"conversation_id:"""#), wants: "200"),
        RefusedLine(.invalidQuestion, save(#"question:"""#)),
        RefusedLine(.invalidQuestion, save("question:{}"), wants: "string"),
        RefusedLine(.invalidResponse, save("response:1"), wants: "string"),
        RefusedLine(.invalidUserID, save(#"user_id:"someone@example.org""#), wants: "UUID"),
        RefusedLine(.invalidTimestamp, save(#"timestamp:"now""#), wants: "RFC 3339"),
        RefusedLine(.invalidSource, save("source:1"), wants: "string"),
        RefusedLine(.invalidMetadata, save("metadata:[]"), wants: "object"),
    ]
}
