import Foundation
import Testing

@testable import MillraceClient

struct EventTests {
    private static func fields(_ event: MillraceClient.Event) throws -> [String: Any] {
        try #require(try JSONSerialization.jsonObject(with: Data(event.line)) as? [String: Any])
    }

    @Test func `an event has its id before it is sent, and two that are made alike are two`() throws {
        let event = try MillraceClient.Event("order.paid", payload: ["total": 12.5])
        let same = event
        #expect(same == event)
        #expect(try MillraceClient.Event("order.paid", payload: ["total": 12.5]).id != event.id)
        let fields = try Self.fields(event)
        #expect(fields["id"] as? String == event.id.uuidString.lowercased())
        #expect(fields["event_type"] as? String == "order.paid")
        // What is left out is not sent: the daemon refuses null.
        #expect(fields.keys.sorted() == ["event_type", "id", "payload"])
    }

    @Test func `the time of an event is the one of its id`() throws {
        let time = Date(timeIntervalSince1970: 1_763_000_000.123)
        let event = try MillraceClient.Event("a", createdAt: time)
        let bytes = event.id.uuid
        let milliseconds = [bytes.0, bytes.1, bytes.2, bytes.3, bytes.4, bytes.5].reduce(UInt64(0)) {
            $0 << 8 | UInt64($1)
        }
        #expect(milliseconds == 1_763_000_000_123)
        #expect(try Self.fields(event)["created_at"] as? Int == 1_763_000_000_123)
        let own = UUID()
        #expect(try MillraceClient.Event("a", id: own).id == own)
    }

    @Test func `a payload is what was written, with its digits`() throws {
        let payload: [String: MillraceClient.JSONValue] = [
            "text": "a \"quoted\" line\n/", "whole": -7, "fraction": 0.1, "yes": true, "nothing": nil,
            "list": [1, "b", ["c": false]],
        ]
        let event = try MillraceClient.Event("a", payload: payload)
        let sent = try #require(try Self.fields(event)["payload"] as? [String: Any])
        #expect(sent["text"] as? String == "a \"quoted\" line\n/")
        #expect(sent["whole"] as? Int == -7)
        #expect(sent["nothing"] is NSNull)
        #expect((sent["list"] as? [Any])?.count == 3)
        let text = String(decoding: event.line, as: UTF8.self)
        #expect(text.contains("\"fraction\":0.1") && text.contains("\"yes\":true"))
        #expect(!event.line.contains(UInt8(ascii: "\n")))
    }

    @Test func `a value of one's own is a payload: decimals keep their digits, times are RFC 3339`() throws {
        struct Payment: Encodable {
            var total: Decimal
            var at: Date
        }
        let total = try #require(Decimal(string: "1234567890123.45"))
        let payment = Payment(total: total, at: Date(timeIntervalSince1970: 0))
        let event = try MillraceClient.Event("a", encoding: payment)
        let text = String(decoding: event.line, as: UTF8.self)
        #expect(text.contains("\"total\":1234567890123.45"))
        #expect(text.contains("\"at\":\"1970-01-01T00:00:00Z\""))
    }

    @Test func `what JSON has no form for is refused, without the value`() throws {
        #expect(throws: MillraceClientError.self) {
            try MillraceClient.Event("a", payload: ["n": .number(.nan)])
        }
        do {
            _ = try MillraceClient.Event("a", payload: ["deep": ["n": .number(.infinity)]])
            Issue.record("infinity is no JSON")
        } catch {
            #expect(error.code == .invalidEvent)
            #expect(error.message.contains("payload.deep.n"), "\(error.message)")
        }
        for time in [Date(timeIntervalSince1970: -1), .distantPast, Date(timeIntervalSince1970: 1e15)] {
            #expect(throws: MillraceClientError.self) { try MillraceClient.Event("a", createdAt: time) }
        }
    }

    @Test(arguments: [1, 2, 9]) func `ids are of version 7, and ascend within a millisecond`(seed: UInt64) {
        var random = Chance(state: seed)
        var generator = EventIDGenerator()
        var last = ""
        for _ in 0..<2048 {
            let id = generator.next(milliseconds: 0x0192_b1a4_7c3e, using: &random).uuidString
            #expect(id > last)
            #expect(id.hasPrefix("0192B1A4-7C3E-7"))
            #expect("89AB".contains(id[id.index(id.startIndex, offsetBy: 19)]))
            last = id
        }
        let later = generator.next(milliseconds: 0x0192_b1a4_7c3f, using: &random).uuidString
        #expect(later > last)
    }

    @Test func `many ids of one millisecond are all different`() {
        var random = Chance(state: 4)
        var generator = EventIDGenerator()
        let ids = (0..<20_000).map { _ in generator.next(milliseconds: 5, using: &random) }
        #expect(Set(ids).count == ids.count)
    }
}

/// SplitMix64, so that a run can be repeated.
private struct Chance: RandomNumberGenerator {
    var state: UInt64

    mutating func next() -> UInt64 {
        state &+= 0x9E37_79B9_7F4A_7C15
        var z = state
        z = (z ^ (z >> 30)) &* 0xBF58_476D_1CE4_E5B9
        z = (z ^ (z >> 27)) &* 0x94D0_49BB_1331_11EB
        return z ^ (z >> 31)
    }
}
