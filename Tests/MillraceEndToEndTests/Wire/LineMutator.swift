import MillraceTestSupport
/// Damages lines in ways that parsers get wrong.
struct LineMutator {
    private var random: SeededGenerator

    private static let tokens = [
        "null", "true", "\"\"", "{}", "[]", "[[", "}}", ",", ":", "\"", "\\", "\\u0000", "\\ud83d", "\\ude00",
        "\\u00e9",
        "\\\"", "-0", "1e400000", "1E131071", "-1e-16383", "0.10", "00", ".5", "1.", "+1", "1e", "NaN",
        "\u{FEFF}", "\u{2028}", "\u{0}", "\u{7F}", "\t", "\r", " ", "𝄞", "\"id\":", "\"event_type\":\"x\",",
        "\"payload\":{},", "\"user_id\":null,", "\"created_at\":0,", "/**/", "'",
    ].map { Array($0.utf8) }

    init(seed: UInt64) {
        random = SeededGenerator(seed: seed)
    }

    /// One to three changes. Never empty, and still one line.
    mutating func mutate(_ line: [UInt8]) -> [UInt8] {
        var line = line
        for _ in 0..<(Bool.random(using: &random) ? 1 : Int.random(in: 1...3, using: &random)) { change(&line) }
        line = line.map { $0 == UInt8(ascii: "\n") ? UInt8(ascii: " ") : $0 }
        return line.isEmpty || line == [UInt8(ascii: "\r")] ? [UInt8(ascii: "{")] : line
    }

    private mutating func change(_ line: inout [UInt8]) {
        guard !line.isEmpty else { return }
        let index = Int.random(in: 0..<line.count, using: &random)
        switch Int.random(in: 0..<12, using: &random) {
        case 0: line[index] ^= 1 << UInt8.random(in: 0..<8, using: &random)
        case 1: line[index] = UInt8.random(in: 0...255, using: &random)
        case 2: line.remove(at: index)
        case 3: line.insert(UInt8.random(in: 0...255, using: &random), at: index)
        case 4: line.insert(contentsOf: token(), at: index)
        case 5: line.replaceSubrange(slice(of: line, at: index), with: token())
        case 6: line.insert(contentsOf: Array(line[slice(of: line, at: index)]), at: index)
        case 7: replaceValue(in: &line, from: index)
        default: replaceDigit(in: &line, from: index)
        }
    }

    /// Most values stay what they were, with other text in them.
    private mutating func replaceDigit(in line: inout [UInt8], from index: Int) {
        guard let digit = line[index...].firstIndex(where: { (0x30...0x39).contains($0) }) else { return }
        let replacements = ["0", "9", "e", "A", " ", "é", "\\u00e9", "\\t", "\\ud834\\udd1e", "0000000000", "."]
        line.replaceSubrange(
            digit...digit, with: Array(replacements[Int.random(in: 0..<replacements.count, using: &random)].utf8))
    }

    private mutating func token() -> [UInt8] {
        Self.tokens[Int.random(in: 0..<Self.tokens.count, using: &random)]
    }

    private mutating func slice(of line: [UInt8], at index: Int) -> Range<Int> {
        index..<min(line.count, index + Int.random(in: 1...12, using: &random))
    }

    /// Another value after the next colon: most of these lines stay JSON.
    private mutating func replaceValue(in line: inout [UInt8], from index: Int) {
        guard let colon = line[index...].firstIndex(of: UInt8(ascii: ":")) else { return }
        let end = line[(colon + 1)...].firstIndex { $0 == UInt8(ascii: ",") || $0 == UInt8(ascii: "}") } ?? line.count
        line.replaceSubrange((colon + 1)..<end, with: token())
    }
}
