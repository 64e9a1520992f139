import Foundation
import MillraceEvent
import MillraceTestSupport
import Testing

@testable import MillraceBench
@testable import MillraceConsole

struct EventTemplatesTests {
    private let runID = RunID(startedAt: Timestamp(microseconds: 1_795_267_200_000_000), random: 0x3_1415_9265)
    private let time = EventClock(at: Timestamp(microseconds: 1_795_267_200_123_456)).text

    private func lines(_ templates: EventTemplates, _ numbers: Range<UInt64>) -> [String] {
        let buffer = RawBuffer(byteCount: numbers.count * templates.lineBytesMax)
        let count = templates.write(numbers, time: time, into: buffer.bytes)
        return String(decoding: UnsafeRawBufferPointer(rebasing: buffer.bytes[..<count]), as: UTF8.self)
            .split(separator: "\n").map(String.init)
    }

    private func parsed(_ line: String) throws -> AnalyticsEvent {
        let bytes = Array(line.utf8) + Array(repeating: 0, count: EventParser.paddingBytes)
        let parser = EventParser()
        let result = try bytes.withUnsafeBytes {
            try parser.parse(
                UnsafeRawBufferPointer(rebasing: $0[..<line.utf8.count]), limits: EventLimits(),
                receivedAt: Timestamp(microseconds: 1_795_267_200_000_000))
        }
        guard case .event(let event) = result else { throw CommandError("a conversation", hint: "") }
        return event
    }

    private func file(_ text: String) throws -> EventTemplates {
        let scratch = try ScratchDirectory()
        let path = scratch.path + "/events.ndjson"
        try Data(text.utf8).write(to: URL(filePath: path))
        return try EventTemplates.file(
            path, limits: EventLimits(), at: Timestamp(microseconds: 1_795_267_200_000_000), runID: runID)
    }

    @Test(arguments: [224, 250, 330, 357, 1000, 20_000])
    func `generated lines are events of the size that was asked for`(lineBytes: Int) throws {
        let templates = EventTemplates.generated(seed: 7, lineBytes: lineBytes, runID: runID)
        let made = lines(templates, 0..<UInt64(min(2000, 4_000_000 / lineBytes)))
        for (number, line) in made.enumerated() {
            let event = try parsed(line)
            #expect(event.id == runID.id(UInt64(number)))
            #expect(event.createdAt.microseconds == 1_795_267_200_123_456)
        }
        #expect(abs(templates.lineBytesMean - Double(lineBytes)) < Double(lineBytes) * 0.01 + 3)
        #expect(Set(made).count == made.count)
    }

    @Test func `generated events look like those of a product`() throws {
        let events = try lines(EventTemplates.generated(seed: 1, lineBytes: 330, runID: runID), 0..<5000).map(parsed)
        let types = Dictionary(grouping: events, by: \.eventType).mapValues(\.count)
        #expect(types.count == 40)
        #expect(types["page.viewed"] ?? 0 > 15 * (types["error.failed"] ?? 0))
        let anonymous = events.count { $0.userID == nil }
        #expect((400...600).contains(anonymous))
        #expect(Set(events.compactMap(\.userID)).count > 4000)
        #expect(Set(events.map(\.payload)).count == events.count)
    }

    @Test func `the same seed gives the same events in every run, another seed others`() throws {
        let other = RunID(startedAt: Timestamp(microseconds: 1_795_267_300_000_000), random: 9)
        func payloads(_ seed: UInt64, _ runID: RunID) throws -> [String] {
            try lines(EventTemplates.generated(seed: seed, lineBytes: 330, runID: runID), 10_000..<10_100)
                .map { try parsed($0).payload }
        }
        #expect(try payloads(3, runID) == payloads(3, other))
        #expect(try payloads(3, runID) != payloads(4, runID))
    }

    @Test func `a file is cycled through with ids of its own`() throws {
        let templates = try file(
            """
            {"id":"0190a6f0-7f3a-7cc1-8000-00000000000a","event_type":"a","payload":{"id":"kept","x":"}, \\"id\\":1"}}
            { "event_type" : "b" , "created_at" : "2026-11-20T10:00:00Z", "id" : "0190a6f0-7f3a-4cc1-8000-00000000000b" }
            """)
        let made = try lines(templates, 0..<4).map(parsed)
        #expect(made.map(\.eventType) == ["a", "b", "a", "b"])
        #expect(made.map(\.id) == (0..<4).map { runID.id($0) })
        #expect(made[0].payload == #"{"id":"kept","x":"}, \"id\":1"}"#)
        #expect(made[2].createdAt.microseconds == 1_795_267_200_123_456)
        #expect(made[3].createdAt.microseconds == 1_795_168_800_000_000)
        #expect(templates.ownTimes == 1_795_168_800_000_000...1_795_168_800_000_000)
    }

    @Test(arguments: [
        (#"{"event_typ":"a"}"#, "unknown_field"), (#"{"conversation_id":"c","question":"q"}"#, "refused"),
        ("", "holds no events"), (#"{"i\u0064":"0190a6f0-7f3a-7cc1-8000-00000000000a","event_type":"a"}"#, "escapes"),
    ])
    func `a file that cannot be sent is told by its line`(text: String, reason: String) throws {
        do {
            _ = try file(text)
            Issue.record("\(text) was taken")
        } catch let error as CommandError {
            #expect("\(error)".contains(reason), "\(error)")
        }
    }

    @Test func `the ids of a run stand together and are version 7`() {
        let ids = [0, 1, 0xABCD, RunID.numbersMax - 1].map { runID.id($0) }
        #expect(ids.allSatisfy { $0.high >> 12 & 0xF == 7 && $0.low >> 62 == 2 })
        #expect(ids.map(\.description) == ids.map(\.description).sorted())
        #expect(ids.allSatisfy { "\($0)".hasPrefix(runID.textPrefix) })
        #expect("\(ids[2])".hasSuffix("00000000abcd"))
    }
}
