import MillraceJSON
import Testing

struct JSONScannerTests {
    private func text(_ bytes: some Sequence<UInt8>) -> String { String(decoding: Array(bytes), as: UTF8.self) }

    @Test func `the members of an object are found whatever their values hold`() {
        let line = #" {"a" : "x,}\"" , "b":{"c":[1,{"d":2}]},"\u0065":null } "#
        let members = JSONScanner.members(Array(line.utf8)[...])
        #expect(members.map(\.name) == ["a", "b", "e"])
        #expect(members.map { text($0.value) } == [#""x,}\"""#, #"{"c":[1,{"d":2}]}"#, "null"])
        #expect(
            members.map { text($0.whole) } == [
                #""a" : "x,}\"""#, #""b":{"c":[1,{"d":2}]}"#, #""\u0065":null"#,
            ])
        #expect(JSONScanner.members(Array("{}".utf8)[...]).isEmpty)
    }

    @Test(arguments: [
        ("[1, \"]\" ,{\"a\":[2]},null]", ["1", "\"]\"", "{\"a\":[2]}", "null"]), ("[]", []), (" [ ] ", []),
        ("[-1.5e3]", ["-1.5e3"]),
    ])
    func `the elements of an array are found`(array: String, elements: [String]) {
        #expect(JSONScanner.elements(Array(array.utf8)[...]).map(text) == elements)
    }

    @Test(arguments: [
        #""a\"b\\""#, "12.5e-7", "true", #"{"a":"}","b":[{}]}"#, #"[[],"\\"]"#, "null",
    ])
    func `a value has the same end in one piece and byte by byte`(value: String) {
        let bytes = Array((value + " ,1").utf8)
        #expect(JSONScanner.afterValue(bytes[...], 0) == value.utf8.count)
        var scanner = JSONScanner()
        var found: Int?
        for (index, byte) in bytes.enumerated() where found == nil {
            found = withUnsafePointer(to: byte) { pointer in
                scanner.scan(UnsafeBufferPointer(start: pointer, count: 1)).map { index + $0 }
            }
        }
        #expect(found == value.utf8.count)
    }

    @Test(arguments: [
        "", "{", "{\"a", "{\"a\"", "{\"a\":", "{\"a\":1", "[", "[1", "[\"\\", "}", ",", "{,}", "[,]", "\"\\",
    ])
    func `a cut text gives places within it`(text: String) {
        let bytes = Array(text.utf8)
        for index in 0...bytes.count {
            #expect((index...bytes.count).contains(JSONScanner.afterValue(bytes[...], index)))
        }
        #expect(JSONScanner.members(bytes[...]).allSatisfy { $0.whole.endIndex <= bytes.count })
        #expect(JSONScanner.elements(bytes[...]).allSatisfy { $0.endIndex <= bytes.count })
    }
}
