import MillraceEvent
import Testing

@Suite struct EventParserTimeTests {
    /// Everything that RFC 3339 can write is in this window.
    private let limits = EventLimits(
        acceptPast: .seconds(3000 * 366 * 86_400), acceptFuture: .seconds(9000 * 366 * 86_400))
    private let parser = EventParser()

    /// Times and their microseconds since the epoch, as PostgreSQL 15 reads them.
    static let times: [(String, Int64)] = [
        ("1970-01-01T00:00:00Z", 0), ("1970-01-01t00:00:00z", 0), ("1970-01-01 00:00:00Z", 0),
        ("1969-12-31T23:59:59.999999Z", -1), ("2000-01-01T00:00:00Z", 946_684_800_000_000),
        ("2000-02-29T12:00:00Z", 951_825_600_000_000), ("2024-02-29T23:59:59Z", 1_709_251_199_000_000),
        ("2400-02-29T00:00:00Z", 13_574_563_200_000_000), ("0001-01-01T00:00:00Z", -62_135_596_800_000_000),
        ("9999-12-31T23:59:59Z", 253_402_300_799_000_000), ("2026-11-05T12:34:56+01:30", 1_793_876_696_000_000),
        ("2026-11-05T12:34:56-23:59", 1_793_968_436_000_000), ("2026-11-05T12:34:56-00:00", 1_793_882_096_000_000),
        ("2026-11-05T12:34:56.1Z", 1_793_882_096_100_000), ("2026-11-05T12:34:56.123456Z", 1_793_882_096_123_456),
        ("2026-11-05T12:34:56.1234564Z", 1_793_882_096_123_456),
        ("2026-11-05T12:34:56.1234566Z", 1_793_882_096_123_457),
        ("2026-11-05T12:34:56.9999999Z", 1_793_882_097_000_000),
        ("2026-12-31T23:59:59.9999999Z", 1_798_761_600_000_000),
        ("2026-11-05T12:34:56.0000000000000000000000000000000000000000001Z", 1_793_882_096_000_000),
        ("2016-12-31T23:59:60Z", 1_483_228_799_999_999), ("2016-12-31T23:59:60.5Z", 1_483_228_799_999_999),
        ("2026-11-05T12:34:60+00:00", 1_793_882_099_999_999), ("2026-11-05T12:34:60.999999Z", 1_793_882_099_999_999),
    ]

    @Test(arguments: Self.times)
    func `RFC 3339 times are read to the microsecond`(text: String, microseconds: Int64) throws {
        let event = try parser.event(#"{"event_type":"a","created_at":"\#(text)"}"#, limits: limits)
        #expect(event.createdAt.microseconds == microseconds)
    }

    /// The form with milliseconds and `Z` is read by a way of its own; a fourth digit takes the general one.
    @Test func `both ways of reading a time agree on every byte in every place`() {
        let time = Array("2026-11-05T12:34:56.789".utf8)
        func read(_ bytes: [UInt8], _ end: String) -> Int64? {
            let text = String(decoding: bytes, as: UTF8.self) + end
            return try? parser.event(#"{"event_type":"a","created_at":"\#(text)"}"#, limits: limits).createdAt
                .microseconds
        }
        #expect(read(time, "Z") == 1_793_882_096_789_000)
        for place in time.indices {
            for byte in UInt8(0x20)..<0x7F where byte != UInt8(ascii: "\"") && byte != UInt8(ascii: "\\") {
                var changed = time
                changed[place] = byte
                #expect(read(changed, "Z") == read(changed, "0Z"), "\(byte) at \(place)")
            }
        }
    }

    @Test func `a UUID is hexadecimal digits in every place, and nothing else`() {
        let id = "0a1b2c3d-4e5f-4678-9ABC-def012345678"
        for place in id.utf8.indices {
            for byte in UInt8(0x20)..<0x7F where byte != UInt8(ascii: "\"") && byte != UInt8(ascii: "\\") {
                let character = Character(UnicodeScalar(byte))
                let changed = String(id[..<place]) + String(character) + String(id[id.index(after: place)...])
                let read = try? parser.event(#"{"event_type":"a","user_id":"\#(changed)"}"#, limits: limits).userID
                let isWanted = id[place] == "-" ? character == "-" : character.isHexDigit
                #expect(read?.description == (isWanted ? changed.lowercased() : nil), "\(changed)")
            }
        }
    }

    @Test(arguments: [
        "", "2026", "2026-11-05", "2026-11-05T12:34:56", "2026-11-05T12:34Z", "2026-11-05T12:34:56.Z",
        "2026-11-05T24:00:00Z", "2026-11-05T23:60:00Z", "2026-11-05T12:00:61Z",
        "2026-00-05T12:34:56Z", "2026-13-05T12:34:56Z", "2026-11-00T12:34:56Z", "2026-11-31T12:34:56Z",
        "2026-02-29T12:34:56Z", "2100-02-29T12:34:56Z", "2026-04-31T12:34:56Z", "2026-11-05T12:34:56+0100",
        "2026-11-05T12:34:56+01", "2026-11-05T12:34:56+24:00", "2026-11-05T12:34:56+01:60", "2026-11-05T12:34:56ZZ",
        "2026-11-05T12:34:56,5Z", "2026-11-05T12:34:56 Z", "2026-11-5T12:34:56Z", "+2026-11-05T12:34:56Z",
        "12026-11-05T12:34:56Z", "2026/11/05T12:34:56Z", "2026-11-05_12:34:56Z", "now", "infinity",
    ])
    func `what is no RFC 3339 time with offset is refused`(text: String) {
        #expect(parser.refusal(#"{"event_type":"a","created_at":"\#(text)"}"#)?.code == .invalidCreatedAt)
    }

    @Test func `every day of 800 years is read`() throws {
        var expected: Int64 = -11_676_096_000  // 1600-01-01 in seconds
        for year in 1600..<2400 {
            for month in 1...12 {
                let isLeap = year % 4 == 0 && (year % 100 != 0 || year % 400 == 0)
                let days = [31, isLeap ? 29 : 28, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31][month - 1]
                for day in [1, days] {
                    let text = "\(year)-\(month < 10 ? "0" : "")\(month)-\(day < 10 ? "0" : "")\(day)T00:00:00Z"
                    let event = try parser.event(#"{"event_type":"a","created_at":"\#(text)"}"#, limits: limits)
                    #expect(event.createdAt.microseconds == (expected + Int64(day - 1) * 86_400) * 1_000_000)
                }
                let beyond = "\(year)-\(month < 10 ? "0" : "")\(month)-\(days + 1)T00:00:00Z"
                #expect(parser.refusal(#"{"event_type":"a","created_at":"\#(beyond)"}"#)?.code == .invalidCreatedAt)
                expected += Int64(days) * 86_400
            }
        }
    }

    @Test func `milliseconds are read exactly, within the window only`() throws {
        for (text, isAccepted) in [
            ("1795176000000", true), ("1795262400000", true), ("1795262400001", false), ("1760356800000", true),
            ("1760356799999", false), ("0", false), ("-0", false),
        ] {
            let line = #"{"event_type":"a","created_at":\#(text)}"#
            #expect(parser.refusal(line)?.code == (isAccepted ? nil : .createdAtOutOfRange))
            if isAccepted { #expect(try parser.event(line).createdAt.microseconds == (Int64(text) ?? 0) * 1000) }
        }
    }
}
