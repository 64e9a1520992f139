import Testing

@testable import MillraceTreatment

struct PatternMachineTests {
    private static let matches: [(String, [String], [String])] = [
        ("a", ["bab", "a"], ["", "b"]), ("^a", ["ab"], ["ba"]), ("a$", ["ba"], ["ab", "a\n"]), ("^$", [""], ["a"]),
        ("", ["", "anything"], []), ("^[A-Z]{2}[0-9]{3,}$", ["AB0123"], ["AB01", "xAB012"]),
        ("a|^b", ["ca", "bc"], ["cb"]),
        ("^(?:ab|a)(?<x>bc|c)?$", ["ab", "abc", "abbc", "a", "ac"], ["abcb", ""]),
        ("^a{2,3}?$", ["aa", "aaa"], ["a", "aaaa"]),
        ("^a{0}b$", ["b"], ["ab"]), ("^(a|b)*abb$", ["abb", "babaabb"], ["ab", "abba"]),
        ("(^a$)|(^b)", ["a", "bc"], ["ab", "cb"]),
        ("^.$", ["é", "😀", "日"], ["\n", "ab", "\u{2028}"]), ("^[^a-c\\s]+$", ["d😀"], ["da", "d\u{a0}"]),
        ("^\\d\\D\\w\\W$", ["1a_-"], ["a1_-", "1a__"]),
        ("^[\\w.-]+@[\\w-]+\\.[a-z]{2,}$", ["a.b-c@d-e.org"], ["a@b", "@b.org"]),
        ("^\\u00e9\\x41\\u{1F600}\\ud83d\\ude00$", ["éA😀😀"], ["éA😀"]), ("^[à-ÿ]+$", ["éü"], ["e", "ā"]),
        ("^\\^\\$\\/\\-\\.$", ["^$/-."], []), ("^[]a]", [], ["]a", "a"]), ("^[^]$", ["\n", "x"], ["", "xy"]),
        ("[\\]\\-^]", ["]", "-", "^"], ["a"]),
        ("a$b", [], ["ab", "a", "a\nb"]), ("^^a$$", ["a"], ["aa"]), ("b*^a", ["a"], ["ba"]),
    ]

    @Test(arguments: matches)
    func `a pattern matches as ECMA-262 has it, anywhere unless it is anchored`(
        pattern: String, matching: [String], others: [String]
    ) throws {
        let machine = try PatternMachine(pattern)
        for text in matching { #expect(machine.matches(text), "\(pattern) matches \(text.debugDescription)") }
        for text in others { #expect(!machine.matches(text), "\(pattern) does not match \(text.debugDescription)") }
    }

    private static let refusals: [(String, String, Int)] = [
        ("(?=a)", "look-ahead", 1), ("a(?<!b)", "look-ahead and look-behind", 2), ("(a)\\1", "what a group matched", 4),
        ("\\bword", "boundary", 1),
        ("\\p{L}", "Unicode property", 1), ("a**", "two repetitions", 3), ("*a", "nothing before it", 1),
        ("a{", "without a number", 3),
        ("a{2,1}", "the smaller number", 6), ("a{2000}", "above 1000", 7), ("(a", "without its )", 1),
        ("a)", "without its (", 2),
        ("[a", "without its ]", 1), ("[z-a]", "ends before it begins", 5), ("[\\d-z]", "a set of characters", 6),
        ("\\", "at the end", 2),
        ("\\q", "no escape", 1), ("\\u12", "4 hexadecimal digits", 3), ("\\ud800", "surrogate", 3),
        ("^*", "repeated ^", 2), ("{2}", "nothing before it", 1),
    ]

    @Test(arguments: refusals)
    func `what can't be matched in one pass, or is no pattern, is refused with its place`(
        pattern: String, message: String, place: Int
    ) throws {
        let error = try #require(throws: PatternError.self) { _ = try PatternMachine(pattern) }
        #expect(error.message.contains(message) && error.place == place, "\(error)")
    }

    @Test(arguments: ["(a|aa)+$", "^(([a-z])+.)+[A-Z]([a-z])+$", "(x+x+)+y", "^(a?){30}a{30}$", "(.*)*=.*"])
    func `patterns that others take exponential time for take one look a byte`(pattern: String) throws {
        let machine = try PatternMachine(pattern)
        #expect(machine.states.count < 200)
        _ = machine.matches(String(repeating: "a", count: 200_000) + "!")
    }

    @Test(arguments: ["a.{500}b", "(a|b)*a(a|b){20}", "((a{100}){100}){100}", "[^a]{1000}x[^b]{1000}|.{900}"])
    func `a pattern of too many states is refused`(pattern: String) throws {
        let error = try #require(throws: PatternError.self) { _ = try PatternMachine(pattern) }
        #expect(error.message.contains("too many states"))
    }

    @Test func `every character is in exactly one of a set and its complement`() throws {
        let space = try PatternMachine("^\\s$")
        let other = try PatternMachine("^\\S$")
        for value in UInt32(0)...0x10FFFF {
            guard let scalar = Unicode.Scalar(value) else { continue }
            let text = String(Character(scalar))
            if space.matches(text) == other.matches(text) { Issue.record("U+\(String(value, radix: 16))") }
        }
    }
}

extension PatternMachine {
    /// As `mr_pattern` does.
    func matches(_ text: String) -> Bool {
        var state = 0
        for byte in text.utf8 {
            if states[state] & 5 != 0 { break }
            state = Int(next[state * classCount + Int(classes[Int(byte)])])
        }
        return states[state] & 3 != 0
    }
}
