import MillraceDialects
import MillraceEvent
import MillraceTestSupport
import Testing

struct DialectMutationTests {
    private static let seeds: [(Dialect, String, [(String, String)], String)] = [
        (
            .segment, "/v1/batch", [],
            #"{"batch":[{"type":"track","event":"a\u00e9","userId":"u","writeKey":"mr_w_1"},{"type":"alias"}],"x":{},"writeKey":"k"}"#
        ),
        (
            .postHog, "/e", [("content-type", "text/plain")],
            #"[{"event":"$identify","properties":{"token":"mr_w_1","distinct_id":7,"$anon_distinct_id":"b"},"token":"mr_w_1"}]"#
        ),
        (
            .postHog, "/e", [("content-type", "application/x-www-form-urlencoded")],
            "data=eyJldmVudCI6ImUiLCJkaXN0aW5jdF9pZCI6ImEifQ%3D%3D&x=1"
        ),
        (
            .cloudEvents, "/v1/cloudevents", [("Content-Type", "application/cloudevents-batch+json")],
            #"[{"specversion":"1.0","id":"1","source":"s","type":"t","time":"2026-10-26T05:00:00Z","data":[1e5,{}]}]"#
        ),
        (
            .cloudEvents, "/v1/cloudevents",
            [
                ("ce-specversion", "1.0"), ("ce-id", "1"), ("ce-source", "s"), ("ce-type", "t"),
                ("content-type", "text/json"),
            ],
            #"{"a":[1,{"b":"}"}]}"#
        ),
    ]
    private static let pieces = Array(#"{}[]",:\ue0nt1-. mr_%+"#.utf8) + [0x00, 0x0A, 0x80, 0xE2, 0xFF]

    private static func mutated(_ body: String, _ random: inout SeededGenerator) -> [UInt8] {
        var bytes = Array(body.utf8)
        for _ in 0..<Int.random(in: 1...4, using: &random) {
            let place = Int.random(in: 0...bytes.count, using: &random)
            let piece = pieces[Int.random(in: 0..<pieces.count, using: &random)]
            switch Int.random(in: 0..<4, using: &random) {
            case 0: bytes.insert(piece, at: place)
            case 1 where place < bytes.count: bytes[place] = piece
            case 2 where place < bytes.count: bytes.remove(at: place)
            case 3:
                let end = Int.random(in: place...bytes.count, using: &random)
                bytes.insert(contentsOf: bytes[place..<end], at: Int.random(in: 0...bytes.count, using: &random))
            default: break
            }
        }
        return bytes
    }

    @Test(arguments: [UInt64(1), 2, 3])
    func `a body that is read gives lines that are JSON, and a damaged one an error`(seed: UInt64) throws {
        var random = SeededGenerator(seed: seed)
        let parser = EventParser()
        let neverSaid: Set<RefusalCode> = [.invalidJSON, .notAnObject, .unknownField, .duplicateField, .missingField]
        var read = 0
        for round in 0..<4000 {
            let (dialect, uri, fields, body) = Self.seeds[round % Self.seeds.count]
            let bytes = Self.mutated(body, &random)
            let request = DialectRequest(dialect, uri: uri, fields: fields)
            let padded = bytes + Array(repeating: UInt8(ascii: "\""), count: EventParser.paddingBytes)
            padded.withUnsafeBytes { padded in
                let text = UnsafeRawBufferPointer(rebasing: padded[..<bytes.count])
                guard
                    let messages = try? request.messages(
                        of: text, receivedAt: Translated.receivedAt, itemBytesMax: LimitsConfiguration().lineBytes,
                        bodyBytesMax: Translated.bodyBytesMax)
                else { return }
                while !messages.isAtEnd {
                    var line: [UInt8] = []
                    guard (try? messages.next(tenant: 0, into: &line)) != nil else {
                        _ = messages.keptMessage
                        continue
                    }
                    read += 1
                    let refusal = Self.refusal(line, parser)
                    #expect(
                        refusal.map { !neverSaid.contains($0.code) } ?? true,
                        "\(String(decoding: bytes, as: UTF8.self)) → \(String(decoding: line, as: UTF8.self)): \(String(describing: refusal))"
                    )
                }
            }
        }
        #expect(read > 100)
    }

    private static func refusal(_ line: [UInt8], _ parser: EventParser) -> Refusal? {
        let padded = line + [UInt8](repeating: 0, count: EventParser.paddingBytes)
        return padded.withUnsafeBytes { padded in
            do throws(Refusal) {
                _ = try parser.validate(
                    UnsafeRawBufferPointer(rebasing: padded[..<line.count]), limits: EventLimits(),
                    receivedAt: Translated.receivedAt)
                return nil
            } catch {
                return error
            }
        }
    }
}
