import MillraceDialects
import MillraceEvent
import Testing

struct SegmentMessageTests {
    private static let adaID = ExternalUserID.id(of: "ada@example.org", tenant: 0)

    /// As segment-analytics-python 2.4 sends it.
    private static let batch = #"""
        {"batch": [{"integrations": {}, "anonymousId": null, "timestamp": "2026-10-26T07:00:00.123456+02:00",
          "context": {"library": {"name": "analytics-python", "version": "2.4.0"}}, "userId": "ada@example.org",
          "type": "track", "event": "Order \"paid\"", "properties": {"total": 1e2, "big": 12345678901234567890123},
          "messageId": "0b7ea8a5-3a7c-4f5c-8c2b-8f3f7f0f2b11"},
         {"type": "identify", "userId": "0192b1a4-7c3e-7a51-9f0e-2d6c1b8e4f70", "anonymousId": "anon-1",
          "traits": {"plan": "pro"}, "timestamp": "2026-10-26T05:00:00Z", "messageId": "mine"}],
         "sentAt": "2026-10-26T07:33:19.5+00:00", "writeKey": "mr_w_key"}
        """#

    @Test func `a batch of the Python SDK: type, id, user, time, and every member with its digits`() throws {
        let sent = try Translated(.segment, "/v1/batch", Self.batch)
        #expect(sent.key == "mr_w_key")
        let events = try sent.events()
        #expect(events.map(\.eventType) == ["Order \"paid\"", "identify"])
        #expect(events[0].id == UniqueID("0b7ea8a5-3a7c-4f5c-8c2b-8f3f7f0f2b11"))
        #expect(events[0].userID == Self.adaID)
        #expect(events[0].createdAt == Timestamp(rfc3339: "2026-10-26T05:00:00.123456Z") && events[0].isTimeKnown)
        for member in [
            #""total": 1e2"#, #""big": 12345678901234567890123"#, #""anonymousId": null"#, #""integrations": {}"#,
            #""_millrace":{"source":"segment","user":"ada@example.org","sent_at":"2026-10-26T07:33:19.5+00:00"}}"#,
        ] {
            #expect(events[0].payload.contains(member), "\(member) in \(events[0].payload)")
        }
        #expect(events[1].userID == UniqueID("0192b1a4-7c3e-7a51-9f0e-2d6c1b8e4f70"))
        #expect(events[1].id == ExternalEventID.id(of: ["mine"], tenant: 0))
        let anonymous = ExternalUserID.id(of: "anon-1", tenant: 0)
        #expect(events[1].payload.contains(#""anonymous_user_id":"\#(anonymous)""#))
        #expect(!events.map(\.payload).joined().contains("mr_w_key"))
    }

    @Test(arguments: [
        ("/v1/track", #"{"event":"seen","userId":"u"}"#, "seen"), ("/v1/identify", #"{"userId":"u"}"#, "identify"),
        ("/v1/page", #"{"anonymousId":"u","name":"Home"}"#, "page"), ("/v1/screen", #"{"userId":"u"}"#, "screen"),
        ("/v1/group", #"{"userId":"u","groupId":"g"}"#, "group"), ("/v1/alias", #"{"userId":"u"}"#, "alias"),
        ("/v1/batch", #"[{"type":"page","userId":"u"}]"#, "page"),
        ("/v1/batch", #"{"event":"seen","userId":"u"}"#, "seen"),
    ])
    func `the path or the member type says what a call is`(path: String, body: String, type: String) throws {
        let events = try Translated(.segment, path, body, tenant: 3).events()
        #expect(events.map(\.eventType) == [type])
        #expect(events[0].userID == ExternalUserID.id(of: "u", tenant: 3))
        #expect(!events[0].isTimeKnown && events[0].payload.contains(#""source":"rudderstack""#))
    }

    @Test func `alias names whom the user was before, numbers are ids, and nobody is nobody`() throws {
        let sent = try Translated(
            .segment, "/v1/batch",
            #"""
            {"batch":[{"type":"alias","userId":42,"previousId":"old"},
             {"type":"track","event":"e","userId":"","anonymousId":"00000000-0000-0000-0000-000000000000"}]}
            """#)
        let events = try sent.events()
        #expect(events[0].userID == ExternalUserID.id(of: "42", tenant: 0))
        let old = ExternalUserID.id(of: "old", tenant: 0)
        #expect(
            events[0].payload.contains(
                #""_millrace":{"source":"rudderstack","user":"42","previous_user_id":"\#(old)"}}"#))
        #expect(events[1].userID == nil && events[1].payload.contains(#""_millrace":{"source":"rudderstack"}}"#))
    }

    @Test func `a clock that is off is corrected by sentAt, and the event is then known by its id`() throws {
        let sent = try Translated(
            .segment, "/v1/batch",
            #"""
            {"batch":[{"type":"page","userId":"u","messageId":"m","timestamp":"2020-01-01T00:00:00Z"}],
             "sentAt":"2020-01-01T01:00:00Z"}
            """#)
        let event = try sent.events()[0]
        #expect(event.createdAt == Translated.receivedAt.advanced(by: .seconds(-3600)) && !event.isTimeKnown)
        #expect(event.id == ExternalEventID.id(of: ["m"], tenant: 0))
    }

    @Test func `what is around the messages goes with each, and a key goes with none`() throws {
        let sent = try Translated(
            .segment, "/v1/batch",
            #"{"batch":[{"type":"page","writeKey":"mr_w_1"},7],"context":{"ip":"::1"},"writeKey":"mr_w_1"}"#)
        #expect(try sent.lines[0].get().contains(#""envelope":{"context":{"ip":"::1"}}}}}"#))
        #expect(try !sent.lines[0].get().contains("mr_w_"))
        #expect(sent.refusals == [nil, .notAnObject])
        let single = try Translated(.segment, "/v1/track", #"{"x":1,"writeKey":"mr_w_2"}"#)
        #expect(single.key == "mr_w_2" && single.refusals == [.missingField] && single.kept == [#"{"x":1}"#])
    }

    @Test(arguments: [
        "", "{", #"{"batch":[{"type":"page"}]"#, #"{"batch":[]} x"#, "\"text\"", #"{"batch":[{"a":tru}]}"#, "\u{1}",
    ])
    func `what is no JSON is refused as a whole`(body: String) {
        #expect(throws: Refusal.self) { try Translated(.segment, "/v1/batch", body) }
    }

    @Test func `a picture's query is the call`() throws {
        let sent = try Translated(
            .segment,
            "/pixel/v1/track?writeKey=mr_w_3&event=Mail%20opened&anonymousId=a+b&timestamp=2026-10-26T05:00:00Z", "")
        let event = try sent.events()[0]
        #expect(event.eventType == "Mail opened" && event.userID == ExternalUserID.id(of: "a b", tenant: 0))
        #expect(!event.payload.contains("mr_w_3"))
        let request = DialectRequest(.segment, uri: "/pixel/v1/track?writeKey=k", fields: [])
        #expect(request.key == "k" && !request.mayHoldKey)
        #expect(DialectReply(request)?.answer.contentType == "image/gif")
    }
}
