import Foundation
import Testing

@testable import MillraceCommands

struct MCPOutputTests {
    private static func object(_ text: String) throws -> [String: Any] {
        try #require(try JSONSerialization.jsonObject(with: Data(text.utf8)) as? [String: Any])
    }

    @Test func `what fits is as it was`() {
        let text = #"{"items":[{"a":1}],"next":"abc"}"#
        #expect(MCPOutput.fit(text, bytesMax: text.utf8.count) == text)
    }

    @Test(arguments: [200, 500, 1000, 4000])
    func `of a list whole items are kept, without the cursor after those that are not`(bytesMax: Int) throws {
        let items = (0..<300).map { #"{"n":\#($0),"text":"größer, ] } \" {"}"# }
        let text = #"{"pack":"a","items":[\#(items.joined(separator: ","))],"next":"cursor","as_of":"now"}"#
        let cut = MCPOutput.fit(text, bytesMax: bytesMax)
        let object = try Self.object(cut)
        let kept = try #require(object["items"] as? [[String: Any]])
        #expect(kept.count > 0 && kept.count < 300)
        #expect(kept.map { $0["n"] as? Int } == Array(0..<kept.count))
        #expect(object["next"] == nil && object["pack"] as? String == "a" && object["as_of"] as? String == "now")
        let note = try #require(object["note"] as? String)
        #expect(note.contains("first \(kept.count) of 300") && note.contains("limit=\(kept.count)"))
        #expect(cut.utf8.count <= bytesMax + note.utf8.count + 20)
    }

    @Test func `anything else is cut between characters, and says so`() {
        for text in [
            String(repeating: "ü", count: 1000), #"{"items":[{"a":"\#(String(repeating: "€", count: 1000))"}]}"#,
            #"{"items":[],"other":"\#(String(repeating: "x", count: 1000))"}"#,
            #"{"a":"\#(String(repeating: "x", count: 999))"#,
        ] {
            for bytesMax in 100...104 {
                let cut = MCPOutput.fit(text, bytesMax: bytesMax)
                #expect(!cut.contains("\u{FFFD}"))
                #expect(cut.hasSuffix("of \(text.utf8.count) bytes (--output-kib). Ask for less.]"), "\(cut)")
                #expect(cut.utf8.count < bytesMax + 100)
            }
        }
    }

    @Test func `lines are cut however they come, blank ones are left out, and one that is too long is dropped whole`() {
        let text = "{\"a\":1}\n\r\n  \n" + String(repeating: "x", count: 50) + "\nnext\r\nrest"
        for size in [1, 2, 7, 1000] {
            var lines = MCPLines(bytesMax: 20)
            var pieces: [MCPLines.Piece] = []
            var bytes = Array(text.utf8)[...]
            while !bytes.isEmpty {
                pieces += lines.take(bytes.prefix(size))
                bytes = bytes.dropFirst(size)
            }
            #expect(pieces == [.line(Array("{\"a\":1}".utf8)), .tooLong, .line(Array("next\r".utf8))], "\(size)")
        }
    }
}
