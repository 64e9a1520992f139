import MillraceTestSupport
import Testing

@testable import MillraceTreatment

/// Most lines are judged in one pass; what that does not accept is looked at closely. Wrapped into `allOf`, a schema is only
/// ever looked at closely.
@Suite(.onOwnThreads) struct OnePassTests {
    private static let members = [
        "a", "id", "name", "fourteen_bytes", "fifteen__bytes_", "sixteen__bytes__", "é", "日本", "q\\\"", "a b",
    ]
    private static let strings = [#""""#, #""a""#, #""ab12""#, #""a\u0062""#, #""日本語""#, #""\\""#, #""12""#, #""x y""#]
    private static let numbers = [
        "0", "-0", "1", "-1", "5", "0.5", "-0.5", "1.0", "-1.0", "5.0", "5.5", "4.999999999999999999999", "1e1",
        "50e-1",
        "999999999999999999", "1000000000000000000", "-999999999999999999.9", "123456789012345678901234567890.5",
    ]
    private static let bounds = ["-1", "0", "1", "5", "0.5", "-0.5", "999999999999999999", "1e1"]
    private static let rounds = 2_000

    private var random = SeededGenerator(seed: 0)

    @Test(arguments: UInt64(1)...2)
    mutating func `in one pass a value is judged as it is closely`(seed: UInt64) throws {
        random = SeededGenerator(seed: seed)
        var (fitting, others) = (0, 0)
        while fitting + others < Self.rounds {
            let schema = schema(depth: 3)
            let judges = try [schema, #"{"allOf":[\#(schema)]}"#].map {
                try RuleJudge(schema: #"{"properties":{"v":\#($0)}}"#)
            }
            for _ in 0..<20 {
                let payload = #"{"v":\#(value(depth: 3))}"#
                let said = try judges.map { try $0.misfit(payload: payload) == nil }
                #expect(said[0] == said[1], "\(schema) and \(payload)")
                if said[0] { fitting += 1 } else { others += 1 }
            }
        }
        #expect(fitting > Self.rounds / 10)
        #expect(others > Self.rounds / 10)
    }

    private mutating func schema(depth: Int) -> String {
        var parts: [String] = []
        if chance(3) {
            parts.append(
                #""type":\#(pick(["\"string\"", "\"number\"", "\"integer\"", "[\"object\",\"null\"]", "\"array\"", "[\"boolean\",\"integer\"]"]))"#
            )
        }
        if chance(3) {
            parts.append(
                #""\#(pick(["minimum", "maximum", "exclusiveMinimum", "exclusiveMaximum"]))":\#(pick(Self.bounds))"#)
        }
        if chance(5) {
            parts.append(#""\#(pick(["minLength", "maxLength"]))":\#(Int.random(in: 0...4, using: &random))"#)
        }
        if chance(8) { parts.append(#""pattern":"^[a-z]+[0-9]*$""#) }
        if chance(8) { parts.append(#""enum":[\#(value(depth: 0)),\#(value(depth: 0)),"ab"]"#) }
        guard depth > 0 else { return "{\(parts.joined(separator: ","))}" }
        if chance(2) {
            let named = Set((0..<4).map { _ in pick(Self.members) }).sorted()
            parts.append(
                #""properties":{\#(named.map { "\"\($0)\":\(schema(depth: depth - 1))" }.joined(separator: ","))}"#)
            if chance(3) { parts.append(#""required":["\#(pick(named))"]"#) }
            if chance(6) { parts.append(#""required":["\#(pick(Self.members))"]"#) }
            if chance(4) { parts.append(#""additionalProperties":false"#) }
        }
        if chance(3) { parts.append(#""items":\#(schema(depth: depth - 1))"#) }
        if chance(6) { parts.append(#""maxItems":2"#) }
        return "{\(unique(parts).joined(separator: ","))}"
    }

    /// Of a keyword that is there twice, the first one.
    private func unique(_ parts: [String]) -> [String] {
        var keywords: Set<Substring> = []
        return parts.filter { keywords.insert($0.prefix { $0 != ":" }).inserted }
    }

    private mutating func value(depth: Int) -> String {
        switch Int.random(in: 0..<(depth > 0 ? 9 : 5), using: &random) {
        case 0: return pick(Self.strings)
        case 1, 2: return pick(Self.numbers)
        case 3: return pick(["true", "false", "null"])
        case 4: return pick(["{}", "[]"])
        case 5, 6:
            let items = (0..<Int.random(in: 1...3, using: &random)).map { _ in value(depth: depth - 1) }
            return "[\(items.joined(separator: pick([",", " , "])))]"
        default:
            // Some in the schema's order, some twice, some with an escape in their name.
            var names = (0..<Int.random(in: 1...5, using: &random)).map { _ in
                pick(Self.members + ["\\u0061", "i\\u0064"])
            }
            if chance(2) { names.sort() }
            return
                "{\(names.map { "\"\($0)\"\(pick([":", " : "]))\(value(depth: depth - 1))" }.joined(separator: ","))}"
        }
    }

    private mutating func chance(_ one: Int) -> Bool { Int.random(in: 0..<one, using: &random) == 0 }

    private mutating func pick(_ of: [String]) -> String { of.randomElement(using: &random) ?? "" }
}
