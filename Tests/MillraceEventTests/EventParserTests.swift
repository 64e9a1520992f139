import MillraceEvent
import Testing

private let uuid = "0a1b2c3d-4e5f-4678-9abc-def012345678"
private let ask =
    #""conversation_id":"c","question":"q","response":"r","user_id":"0a1b2c3d-4e5f-4678-9abc-def012345678""#

@Suite struct EventParserTests {
    let parser = EventParser()

    @Test func `every field of an event arrives unescaped`() throws {
        let event = try parser.event(
            #"{ "event_type" : "caf\u00e9 \ud83d\ude00\/\"\\" ,"id":"0A1b2c3d-4e5f-4678-9abc-def012345678","user_id":null,"#
                + #""payload": {"a" : [1, 2.50, -0e+1, "\u00e9\n", {}, [], true, false, null]} ,"#
                + #""created_at":"2026-11-05T12:34:56.789+01:00"}"# + "\r\n")
        #expect(event.eventType == "café 😀/\"\\")
        #expect(event.id?.description == uuid)
        #expect(event.userID == nil)
        #expect(event.payload == #"{"a" : [1, 2.50, -0e+1, "\u00e9\n", {}, [], true, false, null]}"#)
        #expect(event.createdAt == Timestamp(microseconds: 1_793_878_496_789_000))
        #expect(event.isTimeKnown)
    }

    @Test func `every field of a conversation save arrives unescaped`() throws {
        let line =
            #"{"conversation_id":"c\u0031","question":"a\nb","response":"","user_id":"\#(uuid)","#
            + #""timestamp":"2026-10-01T00:00:00Z","source":"web","metadata":{"x":1}}"#
        guard case .conversation(let save) = try parser.parse(line) else { throw Refusal(.invalidJSON, "an event") }
        #expect(save.conversationID == "c1")
        #expect(save.question == "a\nb")
        #expect(save.response == "")
        #expect(save.userID.description == uuid)
        #expect(save.createdAt == Timestamp(microseconds: 1_790_812_800_000_000))
        #expect(save.source == "web")
        #expect(save.metadata == #"{"x":1}"#)
    }

    @Test func `absent fields take their defaults`() throws {
        let event = try parser.event(#"{"event_type":"a"}"#)
        #expect(event.payload == "{}")
        #expect(event.id == nil && event.userID == nil)
        #expect(event.createdAt == receivedAt && !event.isTimeKnown)
        guard case .conversation(let save) = try parser.parse("{\(ask)}") else { throw Refusal(.invalidJSON, "") }
        #expect(save.source == "unknown" && save.metadata == "{}" && save.createdAt == receivedAt)
    }

    @Test func `the time comes from a UUIDv7 id unless it is given`() throws {
        let id = UniqueID(high: 1_795_000_000_123 << 16 | 0x7ABC, low: 0x8000_0000_0000_0001)
        let event = try parser.event(#"{"event_type":"a","id":"\#(id)"}"#)
        #expect(event.createdAt == Timestamp(microseconds: 1_795_000_000_123_000) && event.isTimeKnown)
        let given = try parser.event(#"{"event_type":"a","id":"\#(id)","created_at":1795000001000}"#)
        #expect(given.createdAt == Timestamp(microseconds: 1_795_000_001_000_000))
        let other = try parser.event(#"{"event_type":"a","id":"\#(uuid)"}"#)
        #expect(other.createdAt == receivedAt && !other.isTimeKnown)
    }

    @Test func `names of 200 bytes are accepted and of 201 refused`() {
        for (name, code) in [
            ("event_type", RefusalCode.invalidEventType), ("conversation_id", .invalidConversationID),
            ("source", .invalidSource),
        ] {
            let rest = name == "event_type" ? "" : ask.replacing(#""conversation_id":"c","#, with: "") + ","
            let other = name == "source" ? #""conversation_id":"c","# : ""
            let line = { (text: String) in "{\(rest)\(other)\"\(name)\":\"\(text)\"}" }
            #expect(parser.refusal(line(String(repeating: "é", count: 100))) == nil)
            #expect(parser.refusal(line(String(repeating: "\\u00e9", count: 100))) == nil)
            #expect(parser.refusal(line(String(repeating: "é", count: 100) + "x"))?.code == code)
        }
    }

    @Test func `the payload is bounded by its bytes as they came`() {
        let limits = EventLimits(payloadBytes: 20)
        #expect(parser.refusal(#"{"event_type":"a","payload":{"a":"0123456789ab"}}"#, limits: limits) == nil)
        #expect(
            parser.refusal(#"{"event_type":"a","payload":{"a":"0123456789abc"}}"#, limits: limits)
                == Refusal(.payloadTooLarge, "payload has 21 bytes; at most 20 are wanted"))
        #expect(
            parser.refusal("{\(ask),\"metadata\":{\"a\":              \"b\"}}", limits: limits)?.code
                == .payloadTooLarge)
    }

    @Test func `the payload is bounded by what its numbers print as`() {
        let limits = EventLimits(payloadTextBytes: 24)
        for payload in [
            #"{"a":10e9,"b":1e1}"#, #"{"a":1e-10}"#, #"{"abc":[1e5,"1e99"]}"#, #"{"a":[{"b":1000e-2}]}"#,
        ] {
            #expect(parser.refusal(#"{"event_type":"a","payload":\#(payload)}"#, limits: limits) == nil, "\(payload)")
        }
        #expect(
            parser.refusal(#"{"event_type":"a","payload":{"a":[1e18]}}"#, limits: limits)
                == Refusal(
                    .payloadTooLarge,
                    "payload has 12 bytes, and 27 once its numbers are printed without exponents (1e3 as 1000); at most 24 "
                        + "(limits.payload_text_bytes) are wanted"))
        #expect(parser.refusal("{\(ask),\"metadata\":{\"a\":1e-20}}", limits: limits)?.code == .payloadTooLarge)
        // What is wrong with another field is told as that.
        #expect(
            parser.refusal(#"{"event_type":"a","payload":{},"created_at":1e99}"#, limits: limits)?.code
                == .invalidCreatedAt)
    }

    @Test(arguments: [1, 2, 63, 64, 65, 128, 1023, 1024])
    func `nesting is accepted up to the limit`(depth: Int) {
        let limits = EventLimits(depth: depth)
        for (open, close) in [("[", "]"), (#"{"a":"#, "}")] {
            let nested = { (levels: Int) in
                let inner =
                    String(repeating: open, count: levels - 1) + "1" + String(repeating: close, count: levels - 1)
                return #"{"event_type":"a","payload":{"x":\#(inner)}}"#
            }
            #expect(parser.refusal(nested(depth), limits: limits) == nil)
            #expect(parser.refusal(nested(depth + 1), limits: limits)?.code == .nestingTooDeep)
        }
    }

    @Test func `a million brackets are refused without recursion`() {
        for bracket in ["[", #"{"a":"#] {
            let line = #"{"event_type":"a","payload":{"x":"# + String(repeating: bracket, count: 1_000_000)
            #expect(parser.refusal(line)?.code == .nestingTooDeep)
            #expect(parser.refusal(String(repeating: bracket, count: 1_000_000)) != nil)
        }
    }

    @Test func `no part of a valid line is accepted`() {
        for line in validLines {
            for count in 0..<line.utf8.count {
                let refusal = parser.refusal(Array(line.utf8.prefix(count)))
                #expect(refusal?.code == .invalidJSON || refusal?.code == .invalidUTF8, "\(count) bytes of \(line)")
            }
            #expect(parser.refusal(line) == nil)
        }
    }

    @Test func `one parser takes lines of every length`() throws {
        for count in [1, 100_000, 63, 64, 65, 16_384, 3_000_000, 5] {
            let text = String(repeating: #"\"é"#, count: count)
            let line = #"{"payload":{"t":"\#(text)"},"event_type":"a\tb"}"#.replacing(#"\tb"#, with: #"\u0062"#)
            let event = try parser.event(
                line, limits: EventLimits(payloadBytes: 100_000_000, payloadTextBytes: .max))
            #expect(event.eventType == "ab" && event.payload == #"{"t":"\#(text)"}"#)
        }
    }

    @Test func `a conversation save is demanded where only that is wanted`() throws {
        let limits = EventLimits()
        let save = try parser.parseConversation("{\(ask)}".utf8, limits: limits, receivedAt: receivedAt)
        #expect(save.conversationID == "c")
        #expect(throws: Refusal(.missingField, "conversation_id is missing; a conversation save needs it")) {
            try parser.parseConversation(#"{"question":"q"}"#.utf8, limits: limits, receivedAt: receivedAt)
        }
        #expect {
            try parser.parseConversation(#"{"event_type":"a"}"#.utf8, limits: limits, receivedAt: receivedAt)
        } throws: { ($0 as? Refusal)?.code == .unknownField }
    }
}
