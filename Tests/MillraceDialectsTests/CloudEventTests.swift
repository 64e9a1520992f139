import MillraceDialects
import MillraceEvent
import Testing

struct CloudEventTests {
    private static let path = "/v1/cloudevents"
    private static let structured = #"""
        {"specversion":"1.0","id":"7","source":"/shop","type":"org.example.paid","time":"2026-10-26T05:00:00Z",
         "userid":"ada","datacontenttype":"application/json","data":{"total":1.50}}
        """#
    private static let json = [("Content-Type", "application/cloudevents+json; charset=UTF-8")]

    @Test func `a structured event: type, source and id, user, time, and all of it`() throws {
        let event = try Translated(.cloudEvents, Self.path, Self.structured, fields: Self.json).events()[0]
        #expect(event.eventType == "org.example.paid")
        #expect(event.id == ExternalEventID.id(of: ["/shop", "7"], tenant: 0))
        #expect(event.userID == ExternalUserID.id(of: "ada", tenant: 0))
        #expect(event.createdAt == Timestamp(rfc3339: "2026-10-26T05:00:00Z"))
        #expect(event.payload.contains(#""data":{"total":1.50}"#))
        #expect(event.payload.contains(#""_millrace":{"source":"cloudevents","user":"ada"}}"#))
    }

    @Test func `the binary mode is the same event`() throws {
        let fields = [
            ("Content-Type", "application/json"), ("CE-SpecVersion", "1.0"), ("ce-id", "7"), ("ce-source", "/shop"),
            ("ce-type", "org.example.paid"), ("ce-time", "2026-10-26T05:00:00Z"), ("ce-subject", #""caf%c3%a9 %22""#),
        ]
        let event = try Translated(.cloudEvents, Self.path, #" {"total":1.50} "#, fields: fields).events()[0]
        #expect(event.id == ExternalEventID.id(of: ["/shop", "7"], tenant: 0))
        #expect(event.payload.contains(#""subject":"café \"""#) && event.payload.contains(#""data":{"total":1.50}"#))
        var others = fields
        others[0] = ("Content-Type", "image/png")
        let binary = try Translated(.cloudEvents, Self.path, "\u{1}\u{2}", fields: others).events()[0]
        #expect(binary.payload.contains(#""data_base64":"AQI=""#))
        others[0] = ("Content-Type", "text/plain")
        let text = try Translated(.cloudEvents, Self.path, "a\"b", fields: others).events()[0]
        #expect(text.payload.contains(#""data":"a\"b""#))
        #expect(throws: Refusal.self) {
            try Translated(.cloudEvents, Self.path, #"{},"id":"other""#, fields: fields)
        }
        #expect(throws: Refusal.self) {
            try Translated(.cloudEvents, Self.path, "{}", fields: fields + [("ce-x", "%ff")])
        }
    }

    @Test func `a batch may be empty, and one event's fault is not another's`() throws {
        let batched = [("Content-Type", "application/cloudevents-batch+json")]
        #expect(try Translated(.cloudEvents, Self.path, "[]", fields: batched).lines.isEmpty)
        let sent = try Translated(
            .cloudEvents, Self.path, "[\(Self.structured),{\"specversion\":\"1.0\"},{}]", fields: batched)
        #expect(sent.refusals == [nil, .missingField, .missingField])
        #expect(throws: Refusal.self) {
            try Translated(.cloudEvents, Self.path, "[\(Self.structured)]", fields: Self.json)
        }
    }

    @Test(arguments: [
        (#""1.0""#, #""0.3""#), (#""data":"#, #""data_base64":"","data":"#), ("2026-10-26T05:00:00Z", "yesterday"),
        (#""id":"7""#, #""id":"""#), (#""/shop""#, "7"),
    ])
    func `what is no CloudEvent is refused`(old: String, new: String) throws {
        let body = Self.structured.replacing(old, with: new)
        #expect(try Translated(.cloudEvents, Self.path, body, fields: Self.json).refusals[0] != nil, "\(body)")
    }
}
