import FoundationEssentials
import MillraceDialects
import MillraceEvent
import Testing

struct PostHogMessageTests {
    /// As posthog-python 7 sends it.
    private static let batch = #"""
        {"batch": [{"properties": {"n": 1, "$lib": "posthog-python"}, "timestamp": "2026-10-26T05:00:00.5+00:00",
          "distinct_id": "ada", "event": "paid", "uuid": "0b7ea8a5-3a7c-4f5c-8c2b-8f3f7f0f2b11", "$set": {"a": 1}},
         {"event": "$identify", "distinct_id": "ada", "properties": {"$anon_distinct_id": "anon"}, "uuid": "x"},
         {"event": "$create_alias", "distinct_id": "ada", "properties": {"alias": "old"}}],
         "historical_migration": false, "sent_at": "2026-10-26T07:33:20+00:00", "api_key": "mr_w_key"}
        """#

    @Test func `a batch of the Python SDK: type, id, user, links, time, and every member`() throws {
        let sent = try Translated(.postHog, "/batch", Self.batch)
        #expect(sent.key == "mr_w_key")
        let events = try sent.events()
        #expect(events.map(\.eventType) == ["paid", "$identify", "$create_alias"])
        let ada = ExternalUserID.id(of: "ada", tenant: 0)
        #expect(events.allSatisfy { $0.userID == ada })
        #expect(events[0].id == UniqueID("0b7ea8a5-3a7c-4f5c-8c2b-8f3f7f0f2b11"))
        #expect(events[0].createdAt == Timestamp(rfc3339: "2026-10-26T05:00:00.5Z"))
        #expect(events[0].payload.contains(#""$set": {"a": 1}"#) && !events[0].payload.contains("envelope"))
        #expect(events[1].id == ExternalEventID.id(of: ["x"], tenant: 0))
        #expect(events[1].payload.contains(#""anonymous_user_id":"\#(ExternalUserID.id(of: "anon", tenant: 0))""#))
        #expect(events[2].payload.contains(#""previous_user_id":"\#(ExternalUserID.id(of: "old", tenant: 0))""#))
    }

    private static let single = #"{"event":"seen","properties":{"distinct_id":"ada","token":"mr_w_1"}}"#
    private static let base64 = Data(single.utf8).base64EncodedString()
    /// As lz-string's compressToBase64 makes it.
    private static let lz64 = "N4IgpgbmB2AuIC4QGcwxAGhABwE4HtsxdYBLMZRUAE1OTOgGNYB9U6xEAQ2q8xFj4A1uiQBbXCwDuLAIwgAvgqA="
    private static let form = "data=" + base64.replacing("=", with: "%3D").replacing("+", with: "%2B")

    @Test(arguments: [
        ("/e", "application/json", single), ("/e", "text/plain", "[\(single)]"),
        ("/e?compression=base64", "text/plain", base64), ("/e", "application/x-www-form-urlencoded", form),
        ("/capture", "application/x-www-form-urlencoded", single), ("/e?compression=lz64", "text/plain", lz64),
        ("/e?compression=lz-string", "application/x-www-form-urlencoded", "data=\(lz64.replacing("=", with: "%3D"))"),
        ("/e", "application/x-www-form-urlencoded", "compression=lz64&data=\(lz64)"),
        ("/e?data=\(base64)&ip=1", "", ""), ("/track?compression=lz64&data=\(lz64)", "", ""),
        ("/e?data=\(single.replacing("{", with: "%7B"))", "", ""),
    ])
    func `an event comes as JSON, in base64 and in a form`(uri: String, type: String, body: String) throws {
        let sent = try Translated(.postHog, uri, body, fields: [("content-type", type + "; charset=utf-8")])
        #expect(sent.key == "mr_w_1")
        let event = try sent.events()[0]
        #expect(event.eventType == "seen" && event.userID == ExternalUserID.id(of: "ada", tenant: 0))
        #expect(
            event.payload.hasPrefix(#"{"event":"seen","properties":{"distinct_id":"ada"},"_millrace":"#),
            "\(event.payload)")
    }

    @Test func `keys leave no trace wherever they stand`() throws {
        for body in [
            #"{"api_key":"mr_w_1","event":"e"}"#, #"{"event":"e","token":"mr_w_1","api_key":"mr_w_1"}"#,
            #"{"event":"e","properties":{"token":"mr_w_1","a":[1]}}"#, #"{"event":"e","$token" : "mr_w_1" , "x":1}"#,
            #"{"properties":{"token":"mr_w_1"},"event":"e"}"#,
        ] {
            let sent = try Translated(.postHog, "/capture", body)
            #expect(sent.key == "mr_w_1")
            #expect(try !sent.events()[0].payload.contains("mr_w_"), "\(body)")
        }
        #expect(try Translated(.postHog, "/e", #"{"event":"e","token":"phc_1"}"#).lines[0].get().contains("phc_1"))
    }

    @Test func `a profile is an $identify, and a message without a name is refused`() throws {
        let sent = try Translated(.postHog, "/engage", #"{"$set":{"a":1},"$distinct_id":"ada","$token":"t"}"#)
        #expect(try sent.events()[0].eventType == "$identify")
        let wrong = try Translated(.postHog, "/batch", #"{"batch":[{"distinct_id":"a"},{"event":7}]}"#)
        #expect(wrong.refusals == [.missingField, .invalidEventType])
    }

    @Test func `the clock is compared by _ and by the header of version 1, unless the sender knows better`() throws {
        let body = #"{"batch":[{"event":"e","uuid":"u","timestamp":"2020-01-01T00:00:00Z","options":{}}]}"#
        let hour = Translated.receivedAt.advanced(by: .seconds(-3600))
        #expect(try Translated(.postHog, "/e?_=1577840400000", body).events()[0].createdAt == hour)
        let path = "/i/v1/analytics/events"
        let fields = [("PostHog-Request-Timestamp", "2020-01-01T01:00:00Z")]
        #expect(try Translated(.postHogV1, path, body, fields: fields).events()[0].createdAt == hour)
        let known = body.replacing("{}", with: #"{"disable_skew_correction":true}"#)
        #expect(try !Translated(.postHogV1, path, known, fields: fields).lines[0].get().contains("sent_at"))
    }

    @Test func `an offset says how long before it was sent an event happened`() throws {
        let events = try Translated(
            .postHog, "/e",
            #"[{"event":"e","offset":1500},{"event":"e","offset":0,"uuid":"u"},{"event":"e","offset":-1},"#
                + #"{"event":"e","offset":9,"timestamp":"2026-10-26T05:00:00Z"}]"#
        ).events()
        let received = Translated.receivedAt
        #expect(events[0].createdAt == received.advanced(by: .milliseconds(-1500)))
        #expect(events.map(\.isTimeKnown) == [false, false, false, true])
        #expect(events[1].createdAt == received && events[2].createdAt == received)
        #expect(events[3].createdAt == Timestamp(rfc3339: "2026-10-26T05:00:00Z"))
        #expect(
            try !Translated(.postHog, "/e", #"{"event":"e","offset":5}"#).lines[0].get().contains(
                "2000-01-01T00:00:00.000000Z\"}"))
    }

    @Test func `version 1 names what became of each event`() throws {
        var reply = try #require(DialectReply(DialectRequest(.postHogV1, uri: "/i/v1/analytics/events", fields: [])))
        reply.add(uuid: Array(#""a""#.utf8), nil)
        reply.add(uuid: Array(#""b""#.utf8), Refusal(.missingField, "event is missing"))
        #expect(
            String(decoding: reply.answer.body, as: UTF8.self)
                == #"{"results":{"a":{"result":"ok"},"b":{"result":"drop","details":"missing_field: event is missing"}}}"#
        )
        let sent = try Translated(.postHogV1, "/i/v1/analytics/events", Self.batch)
        #expect(sent.uuids == [#""0b7ea8a5-3a7c-4f5c-8c2b-8f3f7f0f2b11""#, #""x""#, nil])
        let beacon = try #require(DialectReply(DialectRequest(.postHog, uri: "/e?beacon=1", fields: [])))
        #expect(beacon.answer.status == 204 && beacon.answer.contentType == nil)
    }
}
