import FoundationEssentials
import MillraceJSON
import Testing

struct JSONStringTests {
    private func literal(_ text: String) -> String { String(decoding: JSONString.literal(text), as: UTF8.self) }

    private func text(_ literal: String) -> String { JSONString.text(of: Array(literal.utf8)[...]) }

    /// As Foundation reads a literal; nil when that takes it for none.
    private func decoded(_ literal: String) -> String? {
        try? JSONDecoder().decode([String].self, from: Data("[\(literal)]".utf8)).first
    }

    @Test(arguments: [
        ("", #""""#), ("plain", #""plain""#), ("a\"b\\c", #""a\"b\\c""#), ("\n\r\t", #""\n\r\t""#), ("a/b", #""a/b""#),
        ("\0", #""\u0000""#), ("\u{8}\u{C}\u{1F}", #""\u0008\u000c\u001f""#), ("\u{7F}", "\"\u{7F}\""),
        ("\u{2028}\u{2029}", "\"\u{2028}\u{2029}\""), ("é日😀", "\"é日😀\""), ("\"", #""\"""#), ("x\0y", #""x\u0000y""#),
    ])
    func `a text is escaped where JSON wants it and nowhere else`(text: String, literal: String) {
        #expect(self.literal(text) == literal)
    }

    @Test(arguments: (0...0xFF).map { Unicode.Scalar(UInt8($0)) })
    func `every low character comes back as it was, by any reader`(scalar: Unicode.Scalar) {
        let text = "a\(Character(scalar))b\(Character(scalar))"
        #expect(decoded(literal(text)) == text)
        #expect(self.text(literal(text)) == text)
    }

    @Test(arguments: [1, 4095, 4096, 1_000_000])
    func `a long text stays whole`(count: Int) {
        let text = String(repeating: "é\n\"x", count: count)
        #expect(self.text(literal(text)) == text)
        #expect(JSONString.literal(text).count == 2 + 7 * count)
    }

    @Test func `pieces are the literal, however many there are`() {
        var (text, whole, count) = ("a\"b\nc", [UInt8](), 0)
        text.withUTF8 { bytes in
            JSONString.pieces(of: UnsafeRawBufferPointer(bytes)) { piece in
                whole += piece
                count += 1
            }
        }
        #expect(whole == JSONString.literal("a\"b\nc"))
        #expect(count == 7)
    }

    @Test func `bytes that are no UTF-8 go through as they are`() {
        var out: [UInt8] = []
        [UInt8]([0x61, 0xFF, 0x22, 0xED, 0xA0, 0x80]).withUnsafeBytes { JSONString.append($0, to: &out) }
        #expect(out == [0x22, 0x61, 0xFF, 0x5C, 0x22, 0xED, 0xA0, 0x80, 0x22])
    }

    @Test(arguments: [
        (#""\ud83d\ude00""#, "😀"), (#""\uD83D""#, "\u{FFFD}"), (#""\ude00x""#, "\u{FFFD}x"),
        (#""\ud83dx\ude00""#, "\u{FFFD}x\u{FFFD}"),
        (#""\u0041\/\b\f\n\r\t\"\\""#, "A/\u{8}\u{C}\n\r\t\"\\"), (#""é\u00e9""#, "éé"), ("\"", ""), ("", ""),
        (#""\""#, "\\"),
    ])
    func `escapes are undone; half a pair is U+FFFD`(literal: String, text: String) {
        #expect(self.text(literal) == text)
    }
}
