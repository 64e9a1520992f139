import MillraceEvent
import Testing

@Suite struct EventParserNumberTests {
    private static func digits(_ count: Int, _ digit: Character = "9") -> String {
        String(repeating: digit, count: count)
    }

    /// Numbers and whether PostgreSQL's jsonb holds them; seen on PostgreSQL 15.
    static let numbers: [(String, Bool)] = [
        ("0", true), ("-0", true), ("0e0", true), ("1E+2", true), ("123456789012345678901234567890.5", true),
        ("1e131071", true), ("1e131072", false), ("9.99e131071", true), ("10e131070", true), ("10e131071", false),
        ("0.1e131072", true), ("0.1e131073", false), ("0.001e131074", true), ("0.001e131075", false),
        ("1e400000", false), ("-1e400000", false), ("1e-16383", true), ("1e-16384", false), ("1.0e-16382", true),
        ("1.0e-16383", false), ("10e-16383", true), ("0e-16383", true), ("0e-16384", false), ("0.0e-16383", false),
        ("0e400000", true), ("0e1073741822", true), ("0e1073741823", false), ("0e-1073741823", false),
        ("0e99999999999999999999999999", false), ("1e-99999999999999999999999999", false),
        ("1e00000000000000000000000000000000000005", true), ("0.0e1073741822", true), ("1e1073741822", false),
        (digits(131_072), true), (digits(131_073), false), ("-" + digits(131_072), true),
        ("0." + digits(16_383), true), ("0." + digits(16_384), false), ("0." + digits(16_384, "0"), false),
        (digits(131_072) + "." + digits(16_383), true), ("1." + digits(16_384) + "e1", true),
        ("1." + digits(16_385) + "e1", false), ("0." + digits(20_000, "0") + "1e20000", true),
        ("0." + digits(20_000, "0") + "1e3000", false), (digits(131_073) + "e-1", true),
    ]

    @Test(arguments: Self.numbers)
    func `numbers are accepted up to the limits of numeric`(number: String, isAccepted: Bool) {
        let parser = EventParser()
        for payload in ["{\"a\":\(number)}", "{\"a\":[{},\(number) , 1]}"] {
            let refusal = parser.refusal("{\"event_type\":\"a\",\"payload\":\(payload)}")
            #expect(refusal?.code == (isAccepted ? nil : .numberOutOfRange), "\(number.prefix(60))")
        }
    }
}
