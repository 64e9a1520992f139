import MillraceJSON
import Testing

struct JSONPatternTests {
    private func holds(_ document: String, _ pattern: String) -> Bool {
        JSONPattern(Array(pattern.utf8)[...]).isContained(in: Array(document.utf8)[...])
    }

    /// Each row was asked of PostgreSQL 15: `SELECT document::jsonb @> pattern::jsonb`.
    @Test(arguments: [
        (#"{"a":1,"b":2}"#, #"{"a":1}"#, true), (#"{"a":1}"#, "{}", true), ("{}", "{}", true),
        (#"{"a":1}"#, #"{"a":2}"#, false), (#"{"a":1}"#, #"{"b":1}"#, false),
        (#"{"a":1.0}"#, #"{"a":1}"#, true), (#"{"a":10e-1}"#, #"{"a":1.00}"#, true), (#"{"a":-0}"#, #"{"a":0}"#, true),
        (#"{"a":"1"}"#, #"{"a":1}"#, false), (#"{"a":null}"#, #"{"a":null}"#, true),
        (#"{"a":false}"#, #"{"a":null}"#, false),
        (#"{"a":true}"#, #"{"a":true}"#, true), (#"{"a":true}"#, #"{"a":false}"#, false),
        (#"{"a":"\u0041b"}"#, #"{"a":"Ab"}"#, true), (#"{"\u0061":1}"#, #"{"a":1}"#, true),
        (#"{"a":{"b":1,"c":2}}"#, #"{"a":{"c":2}}"#, true), (#"{"a":{"b":1}}"#, #"{"a":{}}"#, true),
        (#"{"a":[]}"#, #"{"a":{}}"#, false), (#"{"a":{}}"#, #"{"a":[]}"#, false),
        (#"{"a":[1,2,3]}"#, #"{"a":[3,1]}"#, true), (#"{"a":[1,2]}"#, #"{"a":[1,1,1]}"#, true),
        (#"{"a":[1,2]}"#, #"{"a":[]}"#, true), (#"{"a":[1,2]}"#, #"{"a":1}"#, false),
        (#"{"a":[1]}"#, #"{"a":[4]}"#, false),
        (#"{"a":[[1,2],[3]]}"#, #"{"a":[[2]]}"#, true), (#"{"a":[[1],[2]]}"#, #"{"a":[[1,2]]}"#, false),
        (#"{"a":[{"b":1},{"c":2}]}"#, #"{"a":[{"c":2}]}"#, true),
        (#"{"a":1,"a":2}"#, #"{"a":1}"#, false), (#"{"a":1,"a":2}"#, #"{"a":2}"#, true),
        (#"{"a":2}"#, #"{"a":1,"a":2}"#, true),
        // Equal for a reader of Unicode, and not for the database.
        ("{\"a\":\"e\\u0301\"}", "{\"a\":\"\u{E9}\"}", false), ("{\"e\\u0301\":1}", "{\"\u{E9}\":1}", false),
        ("{\"a\":12345678901234567890.1}", "{\"a\":12345678901234567890.10}", true),
        ("{\"a\":12345678901234567890.1}", "{\"a\":12345678901234567890.2}", false),
        (" { \"a\" :\t[ 1 , {\"b\" : \"x,}\" } ] } ", #"{"a":[{"b":"x,}"}]}"#, true),
    ])
    func `it contains what jsonb contains`(document: String, pattern: String, isContained: Bool) {
        #expect(holds(document, pattern) == isContained, "\(document) @> \(pattern)")
    }

    @Test func `its values and its names are counted`() {
        let pattern = JSONPattern(Array(#"{"a":[1,{"b":null}],"\u0070assword":"x"}"#.utf8)[...])
        #expect(pattern.valueCount == 6)
        #expect(Set(pattern.names) == ["a", "password"])
    }

    @Test(arguments: [
        "1e400", "-1e-400", "0.000", "100", "1.50", "1E+2", "0e99999999999999999999", "1e99999999999999999999",
    ])
    func `a number is itself, or none where its exponent is no number`(text: String) {
        let number = JSONDecimal(Array(text.utf8))
        #expect(number == JSONDecimal(Array(text.utf8)))
        #expect((number == nil) == text.contains("99999999999999999999"))
    }

    @Test(arguments: ["", "-", "x", "1.x", "e5", "1e", "1e+-2", "0x10"])
    func `what is no number is none`(text: String) {
        #expect(JSONDecimal(Array(text.utf8)) == nil)
    }

    @Test(arguments: ["", "{", "[", "nul", "\"", "{\"a\":", "}", "{\"a\" 1}"])
    func `a broken document contains no more than nothing`(document: String) {
        #expect(!holds(document, #"{"a":1}"#))
    }
}
