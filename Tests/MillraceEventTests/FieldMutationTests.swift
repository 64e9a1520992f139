import MillraceEvent
import MillraceTestSupport
import Testing

@Suite struct FieldMutationTests {
    private static let lines = [
        #"{"event_type":"a","payload":{"x":{"k":"v","l":[1,{"k":2}]},"d":0,"y":[{"k":"ü"},[],{}],"d":{"z":null}}}"#,
        #"{ "payload" : {"\u0064":1, "x" : [ {"k" : -1.5e3} , 2 ] , "e":"\"\\" } , "event_type":"b" }"#,
        #"{"event_type":"a","payload":{"d":1,"e":2,"d":3,"x":{},"y":"t"}}"#,
    ]
    private static let snippets = [
        #""d":1,"#, #","d":[]"#, #""x":{"k":1},"#, #","e":"q""#, "[{", "]}", "{}", ",", " ", "\n", #"\u0064"#, "null",
        "k", "d",
    ]

    @Test func `10,000 mutated lines read as they did once their values are opened, and lack what is dropped`() throws {
        let seed = UInt64.random(in: 0...UInt64.max)
        print("mutation seed \(seed)")
        var random = SeededGenerator(seed: seed)
        let encrypting = try FieldFixture { $0.encrypt = ["payload.x.*.k", "payload.d", "a:payload.e", "payload.y.0"] }
        let dropping = try FieldFixture { $0.drop = ["payload.x.*.k", "payload.d", "a:payload.e", "payload.y.0"] }
        var treatedCount = 0
        for _ in 0..<10_000 {
            var line = Array(Self.lines.randomElement(using: &random)?.utf8 ?? "".utf8)
            for _ in 0..<Int.random(in: 1...3, using: &random) {
                let at = Int.random(in: 0...line.count, using: &random)
                if Bool.random(using: &random) {
                    line.insert(contentsOf: Array(Self.snippets.randomElement(using: &random)?.utf8 ?? "".utf8), at: at)
                } else if at < line.count {
                    line.removeSubrange(at..<min(line.count, at + Int.random(in: 1...4, using: &random)))
                }
            }
            let text = String(decoding: line, as: UTF8.self)
            guard encrypting.parser.refusal(line) == nil else { continue }
            let comment: Comment = "\(text), seed \(seed)"
            let encrypted = try encrypting.treated(text) ?? Self.oneLine(text)
            #expect(encrypting.opened(encrypted) == Self.oneLine(text), comment)
            let dropped = try dropping.treated(text) ?? text
            let (before, after) = try (
                #require(ReferenceJSON(line)), #require(ReferenceJSON(Array(dropped.utf8)), comment)
            )
            let type = try dropping.parser.event(text).eventType
            #expect(Self.text(after) == Self.text(Self.without(before, type: type)), comment)
            if dropped != text { treatedCount += 1 }
        }
        #expect(treatedCount > 500)
    }

    private static func oneLine(_ text: String) -> String {
        String(decoding: text.utf8.map { $0 == 0x0A || $0 == 0x0D ? 0x20 : $0 }, as: UTF8.self)
    }

    /// What is left of a line, by the reference.
    private static func without(_ json: ReferenceJSON, type: String, _ path: [String] = []) -> ReferenceJSON {
        func isDropped(_ path: [String]) -> Bool {
            path == ["payload", "d"] || path == ["payload", "e"] && type == "a" || path == ["payload", "y", "0"]
                || path.count == 4 && path.starts(with: ["payload", "x"]) && path[3] == "k"
        }
        switch json {
        case .object(let members):
            return .object(
                members.filter { !isDropped(path + [$0.name]) }.map {
                    ReferenceJSON.Member(
                        name: $0.name, value: without($0.value, type: type, path + [$0.name]), text: "")
                })
        case .array(let elements):
            return .array(
                elements.enumerated().map { index, element in
                    isDropped(path + ["\(index)"]) ? .null : without(element, type: type, path + ["\(index)"])
                })
        default: return json
        }
    }

    private static func text(_ json: ReferenceJSON) -> String {
        switch json {
        case .object(let members):
            "{" + members.map { "\($0.name.debugDescription):\(text($0.value))" }.joined(separator: ",") + "}"
        case .array(let elements): "[" + elements.map(text).joined(separator: ",") + "]"
        default: "\(json)"
        }
    }
}
