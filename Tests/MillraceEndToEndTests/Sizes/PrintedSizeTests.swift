import MillraceEvent
import MillracePostgres
import MillraceTestSupport
import Testing

/// What the parser counts, against what PostgreSQL prints.
struct PrintedSizeTests {
    private static let spellings = [
        "0", "-0", "0.0", "-0.00", "1", "-1", "12.50", "1e0", "1E5", "1e+5", "1e-5", "-1e-5", "1.5e1", "1.50e1",
        "1.5e-1",
        "15e-1", "100e-2", "100e-5", "0e0", "0e5", "-0e5", "0e-5", "0.00e1", "0.00e-3", "0.001e2", "0.001e3", "0.001e9",
        "-0.00012e2", "123456789e-4", "123456789e4", "1.23456789e4", "9.99e20", "1e131071", "-1e131071", "1e-16383",
        "0e-16383", "0.1e131072", "0.00001e131076", "1.5e-16382", "1e16383", "0e400000", "0e1073741822",
        "1e0000000000000000000000000000001", "-12345678901234567890.123456789e-20", "5e-324", "1.7976931348623157e308",
    ]

    private static func generated(using generator: inout SeededGenerator) -> String {
        func digits(_ range: ClosedRange<Int>) -> String {
            let digits = (0..<Int.random(in: range, using: &generator)).map { _ in
                Bool.random(using: &generator) ? "0" : "\(Int.random(in: 0...9, using: &generator))"
            }
            return digits.joined()
        }
        var number = Bool.random(using: &generator) ? "-" : ""
        number += Bool.random(using: &generator) ? "0" : "\(Int.random(in: 1...9, using: &generator))" + digits(0...12)
        if Bool.random(using: &generator) { number += "." + digits(1...12) }
        let exponent = Int.random(in: 0...3, using: &generator) == 0 ? 2000 : 30
        if Int.random(in: 0...4, using: &generator) > 0 {
            number += ["e", "E", "e+", "e-"].randomElement(using: &generator) ?? "e"
            number += "\(Int.random(in: 0...exponent, using: &generator))"
        }
        return number
    }

    @Test func `a payload counts as long as PostgreSQL prints its numbers`() throws {
        let seed = SeededGenerator.seed("MILLRACE_NUMBERS_SEED")
        var generator = SeededGenerator(seed: seed)
        let numbers = Self.spellings + (0..<2000).map { _ in Self.generated(using: &generator) }
        let connection = try TestCluster.shared.superuser()
        let printed = try connection.query(
            "SELECT length(number::numeric::text) FROM unnest(string_to_array($1, ' ')) WITH ORDINALITY AS n (number, place) "
                + "ORDER BY place", parameters: [.text(numbers.joined(separator: " "))])
        let parser = EventParser()
        for (index, number) in numbers.enumerated() where number.contains(where: { $0 == "e" || $0 == "E" }) {
            let bytes = #"{"v":}"#.utf8.count + (printed.int(index, 0) ?? 0)
            for (limit, isTaken) in [(bytes, true), (bytes - 1, false)] {
                let code = Self.refusal(of: LongNumbers.event(number), by: parser, limit: limit)
                #expect(code == (isTaken ? nil : .payloadTooLarge), "\(number) is \(bytes - 6) long, seed \(seed)")
            }
        }
    }

    private static func refusal(of line: String, by parser: EventParser, limit: Int) -> RefusalCode? {
        let bytes = Array(line.utf8) + [UInt8](repeating: 0, count: EventParser.paddingBytes)
        return bytes.withUnsafeBytes { bytes in
            do throws(Refusal) {
                _ = try parser.validate(
                    UnsafeRawBufferPointer(rebasing: bytes[..<line.utf8.count]),
                    limits: EventLimits(payloadTextBytes: limit), receivedAt: .now)
                return nil
            } catch {
                return error.code
            }
        }
    }

    @Test func `a document is read up to the bound and never above twice as much`() throws {
        let connection = try TestCluster.shared.database().connect()
        func isRead(_ json: String, bytesMax: Int) throws -> Bool {
            // Stored, so that it may be compressed.
            try connection.execute("CREATE TEMPORARY TABLE documents (document jsonb)")
            defer { _ = try? connection.execute("DROP TABLE documents") }
            try connection.query("INSERT INTO documents SELECT $1::jsonb", parameters: [.text(json)])
            return try connection.execute(
                "SELECT \(PrintedSize.guarded("document", bytesMax: bytesMax)) IS NOT NULL FROM documents"
            ).bool(0, 0) == true
        }
        for number in ["1e131071", "1e-16383", "-1e70000", "0e-16383", "1e500", "1.5e-450"] {
            for count in [1, 3, 700] {
                let json = #"{"a":[{"b":\#(LongNumbers.array(count, of: number))}]}"#
                let digits =
                    try connection.query(
                        "SELECT length($1::numeric::text)", parameters: [.text(number)]
                    ).int(0, 0) ?? 0
                #expect(try isRead(json, bytesMax: digits * count), "\(count) times \(number)")
                let isWithin = try isRead(json, bytesMax: (digits - 6) * count / 2)
                #expect(!isWithin, "\(count) times \(number)")
            }
        }
        #expect(try isRead("{\"a\":\(LongNumbers.array(30_000, of: "12345.678"))}", bytesMax: 1 << 10))
        #expect(try isRead("{\"a\":\"\(String(repeating: "1e131071 ", count: 30_000))\"}", bytesMax: 1 << 10))
    }
}
