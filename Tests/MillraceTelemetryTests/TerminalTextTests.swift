import MillraceTelemetry
import Testing

struct TerminalTextTests {
    @Test(arguments: [
        ("plain, é 日本 🦆", "plain, é 日本 🦆"),
        ("\u{1B}[2J\u{7}", #"\u001b[2J\u0007"#),
        ("\u{9B}31m\u{7F}\u{85}", #"\u009b31m\u007f\u0085"#),
        ("\u{202E}txt\u{2066}\u{200F}\u{061C}", #"\u202etxt\u2066\u200f\u061c"#),
        ("a\u{2028}b\u{2029}c", #"a\u2028b\u2029c"#),
        ("a\nb\r\tc\0", #"a\u000ab\u000d\u0009c\u0000"#),
    ])
    func `what a terminal obeys or reorders is written out`(text: String, line: String) {
        #expect(TerminalText.line(text) == line)
    }

    @Test func `a report's own lines stay lines`() {
        #expect(TerminalText.lines("a\n\tb\r\u{1B}") == "a\n\tb\\u000d\\u001b")
    }

    @Test func `no scalar that is unsafe is left`() {
        let all = String(String.UnicodeScalarView((0...0x10FFFF).compactMap { Unicode.Scalar($0 as UInt32) }))
        #expect(!TerminalText.line(all).unicodeScalars.contains(where: TerminalText.isUnsafe))
    }
}
