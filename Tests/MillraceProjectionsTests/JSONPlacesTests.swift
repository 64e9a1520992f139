import Testing

@testable import MillraceProjections

struct JSONPlacesTests {
    private func texts(_ json: String, _ find: (JSONPlaces, Range<Int>) -> [Range<Int>]) throws -> [String] {
        let places = JSONPlaces(bytes: Array(json.utf8))
        let whole = try #require(places.value(in: 0..<places.bytes.count))
        return find(places, whole).map { String(decoding: places.bytes[$0], as: UTF8.self) }
    }

    @Test(arguments: [
        (#"{}"#, []), (#"{"a":1}"#, ["1"]), (#" { "a" : 1 , "b" : [ 1 , 2 ] } "#, ["1", "[ 1 , 2 ]"]),
        (#"{"a":"x\"y","b":"\\","c":null}"#, [#""x\"y""#, #""\\""#, "null"]),
        (#"{"a":{"b":{"c":"}"}},"d":-1.5e+9}"#, [#"{"b":{"c":"}"}}"#, "-1.5e+9"]),
        (#"{"a":1,"a":2,"\u0061":3}"#, ["1", "2", "3"]), (#"{"":"","ä\n☃":"☃"}"#, [#""""#, #""☃""#]),
        ("{\"a\":true\n,\t\"b\":false\r}", ["true", "false"]),
    ])
    func `members are found with their values, whatever is between and within`(json: String, values: [String]) throws {
        #expect(try texts(json) { places, whole in places.members(of: whole).map(\.value) } == values)
    }

    @Test(arguments: [
        ("[]", []), ("[ ]", []), ("[1,2 , 3]", ["1", "2", "3"]),
        (#"["]","[",{"a":[]},[[]]]"#, [#""]""#, #""[""#, #"{"a":[]}"#, "[[]]"]),
        ("[null,true,-0.0]", ["null", "true", "-0.0"]),
    ])
    func `elements are found`(json: String, values: [String]) throws {
        #expect(try texts(json) { $0.elements(of: $1) } == values)
    }

    @Test func `strings are found at any depth, names too, with quotes`() throws {
        #expect(
            try texts(#"{"a":["b",{"c\"":"d"}],"e":1}"#) { $0.strings(in: $1) }
                == [#""a""#, #""b""#, #""c\"""#, #""d""#, #""e""#])
    }

    @Test func `nesting as deep as a line can have it is walked without recursion`() throws {
        let depth = 200_000
        let json = String(repeating: "[", count: depth) + "1" + String(repeating: "]", count: depth)
        #expect(try texts(json) { $0.elements(of: $1) }.map(\.utf8.count) == [2 * depth - 1])
    }

    @Test(arguments: [
        (#""a\u0062\n\"\\\/c""#, "ab\n\"\\/c"), (#""\ud83d\ude00""#, "😀"), (#""\ud83d""#, "\u{FFFD}"),
        (#""\ud83dx""#, "\u{FFFD}x"), (#""""#, ""), (#""\u00e4ö""#, "äö"), ("-12.50", "-12.50"),
    ])
    func `a text is what its escapes say`(json: String, text: String) throws {
        let places = JSONPlaces(bytes: Array(json.utf8))
        #expect(places.text(of: 0..<places.bytes.count) == text)
    }

    @Test(arguments: [
        (["a"], "2"), (["b", "1", "c"], "x"), (["b", "0"], "7"), (["b", "2"], nil), (["d"], nil), (["é"], "y"),
    ])
    func `a path leads to the last of equal names, and into arrays by number`(path: [String], text: String?) throws {
        let places = JSONPlaces(bytes: Array(#"{"a":1,"a":2,"b":[7,{"c":"x"}],"d":{},"\u00e9":"y"}"#.utf8))
        #expect(places.text(at: path, of: 0..<places.bytes.count) == text)
    }

    /// A refused line is no JSON: less is found, and nothing outside of it is read.
    @Test func `any prefix of a text, and any byte of it changed, ends`() {
        let text = Array(#"{"a":"x\u00e4\"","b":[1,{"c":null}],"d":{"e":-1.5}} "#.utf8)
        for count in 0...text.count { walk(Array(text[..<count])) }
        for index in text.indices {
            for byte in Array("\"\\{}[],: x0".utf8) + [0, 0xFF] {
                var changed = text
                changed[index] = byte
                walk(changed)
            }
        }
    }

    private func walk(_ bytes: [UInt8]) {
        let places = JSONPlaces(bytes: bytes)
        for string in places.strings(in: 0..<bytes.count) { _ = places.text(of: string) }
        var waiting = [places.value(in: 0..<bytes.count)].compactMap { $0 }
        var steps = 0
        while let value = waiting.popLast(), steps < 10_000 {
            steps += 1
            #expect(value.lowerBound >= 0 && value.upperBound <= bytes.count)
            _ = places.text(of: value)
            waiting += places.members(of: value).map(\.value) + places.elements(of: value)
        }
        #expect(steps < 10_000)
    }
}
