import MillraceDialects
import MillraceEvent
import Testing

struct PixelMessageTests {
    private func translated(_ query: String) throws -> Translated {
        try Translated(.pixel, "/p.gif\(query)", "", fields: [])
    }

    @Test func `a picture's query is an event, without its key`() throws {
        let id = "0192b1a4-7c3e-4a51-9f0e-000000000001"
        let event = try translated(
            "?type=order.paid&key=mr_w_1&id=\(id)&user=ada&time=1792999999123&path=%2Fa+b&total=12.50&token=mr_w_2&token=t"
        ).events()[0]
        #expect(event.eventType == "order.paid" && event.id?.description == id)
        #expect(event.userID == ExternalUserID.id(of: "ada", tenant: 0))
        #expect(event.createdAt == Timestamp(microseconds: 1_792_999_999_123_000))
        #expect(
            event.payload
                == #"{"path":"/a b","total":"12.50","token":"t","_millrace":{"source":"pixel","user":"ada"}}"#)
    }

    @Test(arguments: ["", "?", "?key=any"]) func `without a query it is a page that was viewed`(query: String) throws {
        let event = try translated(query).events()[0]
        #expect(event.eventType == "page.viewed" && event.id == nil && event.userID == nil)
        #expect(event.payload == #"{"_millrace":{"source":"pixel"}}"#)
    }

    @Test func `an id of any kind is known again, and a time is one or refused`() throws {
        let ids = try ["?id=a", "?id=a&x=1", "?id=b"].map { try translated($0).events()[0].id }
        #expect(ids[0] == ids[1] && ids[0] != ids[2] && ids[0] != nil)
        #expect(
            try translated("?time=2026-10-26T05:00:00%2B01:00").events()[0].createdAt
                == Timestamp(rfc3339: "2026-10-26T04:00:00Z"))
        for time in ["soon", "9223372036854775807", "-9223372036854775808", ""] {
            #expect(try translated("?time=\(time)").refusals == [.invalidCreatedAt])
        }
    }

    @Test func `it is answered with a picture of 43 bytes that nobody keeps`() throws {
        let answer = try #require(DialectReply(DialectRequest(.pixel, uri: "/p.gif", fields: []))).answer
        #expect(answer.status == 200 && answer.contentType == "image/gif" && answer.body.count == 43)
        #expect(answer.body.starts(with: "GIF89a".utf8) && answer.fields["Cache-Control"] == "no-store")
    }
}
