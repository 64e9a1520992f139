import CMillrace
import MillracePostgres
import MillraceTestSupport
import Testing

@testable import MillraceProjections

@Suite(.onOwnThreads) struct FieldExtractorTests {
    private static let paths: [[String]] = [
        [], ["a"], ["a", "b"], ["a", "0"], ["a", "1", "c"], ["é"], ["n"], ["a", "b", "2"], ["\"q\""], ["a", ""],
    ]

    @Test(arguments: [
        "{}", #"{"a":1}"#, #"{ "a" : { "b" : [ 1 , 2 , "x" ] , "": true } }"#, #"{"a":[{"c":9},{"c":"d"}]}"#,
        #"{"a":{"b":1},"a":{"c":2}}"#, #"{"\u00e9":"caf\u00e9\n\t\"\\\/\b\f\r\u0001"}"#, #"{"n":null,"a":null}"#,
        #"{"n":1e3}"#, #"{"n":1.50}"#, #"{"n":-0}"#, #"{"n":-0.0e1}"#, #"{"n":-12.5e-3}"#, #"{"n":12.50E1}"#,
        #"{"n":123456789012345678901234567890.123}"#, #"{"n":0.001e2}"#, #"{"n":0e5}"#, #"{"n":1e-5}"#,
        #"{"a":{"zz":1,"b":{"y":2,"x":[1e2,{},[],"\u0007"]},"c":false}}"#, #"{"\"q\"":"\ud83d\ude00"}"#,
    ])
    func `a field reads as the table's jsonb gives it`(json: String) throws {
        let connection = try TestCluster.shared.superuser()
        let extractor = FieldExtractor()
        for (index, path) in Self.paths.enumerated() { extractor.add(path, wantsJSON: false, output: index) }
        var outputs = [mr_text](repeating: mr_text(bytes: nil, length: 0), count: Self.paths.count)
        Array(json.utf8).withUnsafeBytes { extractor.extract($0, into: &outputs) }
        for (path, output) in zip(Self.paths, outputs) {
            let found = output.bytes.map {
                String(decoding: UnsafeBufferPointer(start: $0, count: output.length), as: UTF8.self)
            }
            let names = path.map { "\"" + $0.replacing("\"", with: "\\\"") + "\"" }.joined(separator: ",")
            let wanted = try connection.query(
                "SELECT $1::jsonb #>> $2::text[]", parameters: [.text(json), .text("{\(names)}")]
            ).string(0, 0)
            #expect(found == wanted, "\(path)")
        }
    }

    @Test(arguments: [
        ("1e399", false), ("1e400", true), ("-1e398", false), ("-1e399", true), ("1e-398", false), ("1e-399", true),
        ("0e-398", false), ("0e-399", true), ("-4.9406564584124654e-324", false),
        (String(repeating: "9", count: 400), false), (String(repeating: "9", count: 401), true),
        ("-0." + String(repeating: "0", count: 398), false), ("-0." + String(repeating: "0", count: 399), true),
    ])
    func `a number of more than 400 bytes as it is printed is not given out`(number: String, isLong: Bool) {
        let extractor = FieldExtractor()
        extractor.add(["n"], wantsJSON: false, output: 0)
        extractor.add(["a"], wantsJSON: true, output: 1)
        extractor.add(["b"], wantsJSON: false, output: 2)
        var outputs = [mr_text](repeating: mr_text(bytes: nil, length: 0), count: 3)
        let json = #"{"n":\#(number),"a":[{"x":\#(number)}],"b":"\#(number)"}"#
        Array(json.utf8).withUnsafeBytes { extractor.extract($0, into: &outputs) }
        #expect(outputs.map(\.hasLongNumbers) == [isLong, isLong, false])
    }

    @Test func `a value that is nested deeper than any stack is printed`() {
        let value = String(repeating: "[", count: 200_000) + String(repeating: "]", count: 200_000)
        let extractor = FieldExtractor()
        extractor.add(["a"], wantsJSON: false, output: 0)
        var outputs = [mr_text(bytes: nil, length: 0)]
        Array("{\"a\":\(value)}".utf8).withUnsafeBytes { extractor.extract($0, into: &outputs) }
        #expect(outputs[0].length == value.utf8.count)
    }
}
