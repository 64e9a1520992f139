import Testing

@testable import MillraceCommands

struct JSONRewriterTests {
    @Test(arguments: [
        ("1000000", "1e6"), ("-1200000", "-12e5"), ("0.0000001", "1e-7"), ("-0.00000120", "-120e-8"),
        ("0.00000", "0e-5"),
        ("0.0000000", "0e-7"), ("123456", "123456"), ("1.5", "1.5"), ("0", "0"),
        ("[1000000,{\"a\":100000}]", "[1e6,{\"a\":1e5}]"),
        ("\"1000000\"", "\"1000000\""),
    ])
    func `long numbers are written shorter and stay the same`(number: String, short: String) {
        var out: [UInt8] = []
        JSONRewriter.append(Array(number.utf8)[...], to: &out, droppingSecrets: false, plainNumberBytesMax: 0)
        #expect(String(decoding: out, as: UTF8.self) == short)
    }

    @Test func `white space goes, texts stay`() {
        var out: [UInt8] = []
        JSONRewriter.append(
            Array("{ \"a b\" : [ 1 , \"x \\\" , ] y\", null ] }".utf8)[...], to: &out, droppingSecrets: true)
        #expect(String(decoding: out, as: UTF8.self) == "{\"a b\":[1,\"x \\\" , ] y\",null]}")
    }
}
