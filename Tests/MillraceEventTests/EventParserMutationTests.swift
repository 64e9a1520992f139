import MillraceTestSupport
import MillraceEvent
import Testing

@Suite struct EventParserMutationTests {
    /// Bytes that JSON cares about, and bytes that UTF-8 does.
    private static let interesting =
        Array("{}[]:,\"\\/ \t\r\n0123456789.eE+-truefalsenullbu".utf8) + [0, 0x1F, 0x7F, 0xC3, 0xFF]

    @Test func `20,000 mutations are accepted only when the reference reads the same`() throws {
        let seed = UInt64.random(in: 0...UInt64.max)
        print("mutation seed \(seed)")
        var random = SeededGenerator(seed: seed)
        let parser = EventParser()
        var acceptedCount = 0
        for _ in 0..<20_000 {
            let line = Self.mutate(Array(validLines.randomElement(using: &random)?.utf8 ?? "".utf8), &random)
            let text = String(decoding: line, as: UTF8.self)
            let reference = ReferenceJSON(line)
            do throws(Refusal) {
                let parsed = try parser.parse(line)
                acceptedCount += 1
                guard case .object(let members) = reference else {
                    Issue.record("accepted, but no object: \(text), seed \(seed)")
                    continue
                }
                Self.compare(parsed, members, "\(text), seed \(seed)")
            } catch {
                let isGrammar = error.code == .invalidJSON || error.code == .invalidUTF8
                #expect(isGrammar == (reference == nil), "\(error) for \(text), seed \(seed)")
            }
        }
        #expect(acceptedCount > 1000)
    }

    private static func mutate(_ line: [UInt8], _ random: inout SeededGenerator) -> [UInt8] {
        var line = line
        for _ in 0..<Int.random(in: 1...3, using: &random) where !line.isEmpty {
            let at = Int.random(in: 0..<line.count, using: &random)
            let other = Int.random(in: 0..<line.count, using: &random)
            let byte = interesting.randomElement(using: &random) ?? 0
            switch Int.random(in: 0..<6, using: &random) {
            case 0: line[at] = byte
            case 1: line.insert(byte, at: at)
            case 2: line.remove(at: at)
            case 3: line[at] ^= 1 << UInt8.random(in: 0..<8, using: &random)
            case 4: line.insert(contentsOf: Array(line[min(at, other)..<max(at, other)]), at: at)
            default: line.removeSubrange(min(at, other)..<min(line.count, min(at, other) + 4))
            }
        }
        return line
    }

    /// Every field of `parsed` is what the reference read, and every field that the reference read is there.
    private static func compare(_ parsed: ParsedLine, _ members: [ReferenceJSON.Member], _ line: String) {
        #expect(Set(members.map(\.name)).count == members.count, "a name twice in \(line)")
        for member in members {
            let got: String?
            switch (parsed, member.name) {
            case (.event(let event), "event_type"): got = event.eventType
            case (.event(let event), "id"): got = event.id?.description
            case (.event(let event), "user_id"): got = event.userID?.description
            case (.event(let event), "payload"): got = event.payload
            case (.event, "created_at"), (.conversation, "timestamp"): continue
            case (.conversation(let save), "conversation_id"): got = save.conversationID
            case (.conversation(let save), "question"): got = save.question
            case (.conversation(let save), "response"): got = save.response
            case (.conversation(let save), "user_id"): got = save.userID.description
            case (.conversation(let save), "source"): got = save.source
            case (.conversation(let save), "metadata"): got = save.metadata
            default:
                Issue.record("field \(member.name) was let in: \(line)")
                continue
            }
            let wanted: String? =
                switch member.value {
                case .object: member.text
                case .string(let text):
                    member.name.hasSuffix("id") && member.name != "conversation_id"
                        ? text.lowercased() : text
                default: nil
                }
            // By bytes: String compares canonically equal texts as equal.
            #expect(got.map { Array($0.utf8) } == wanted.map { Array($0.utf8) }, "\(member.name) of \(line)")
        }
    }
}
