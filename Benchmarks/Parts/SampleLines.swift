import MillraceEvent

/// Lines to measure with: 357 bytes each, the shape of the scenes' events, the same from run to run.
enum SampleLines {
    static let count = 10_000
    static let receivedAt = Timestamp(microseconds: 1_764_000_000_000_000)
    static let limits = EventLimits()

    /// Of one record: each line ends with a newline.
    static let record = Record(kind: .event, tenant: 0, receivedAt: receivedAt, count: count, bytes: bytes)

    /// `record`'s bytes, and as many zeros after them as the parser may read.
    static let padded = bytes + [UInt8](repeating: 0, count: EventParser.paddingBytes)

    /// Where each line lies in `padded`, newline excluded.
    static let ranges: [Range<Int>] = {
        var start = 0
        return bytes.indices.filter { bytes[$0] == UInt8(ascii: "\n") }.map { end in
            defer { start = end + 1 }
            return start..<end
        }
    }()

    private static let bytes: [UInt8] = {
        var generator = SplitMix(state: 7)
        return (0..<count).flatMap { _ in Array(line(&generator).utf8) }
    }()

    private static func line(_ generator: inout SplitMix) -> String {
        func number(_ range: Range<Int>) -> Int { Int.random(in: range, using: &generator) }
        func hex(_ digits: Int) -> String { (0..<digits).map { _ in String(number(0..<16), radix: 16) }.joined() }
        func identifier() -> String { "\(hex(8))-\(hex(4))-4\(hex(3))-8\(hex(3))-\(hex(12))" }
        let clock = "\(10 + number(0..<10)):\(10 + number(0..<50)):30.\(100 + number(0..<900))"
        let time = "2025-11-\(10 + number(0..<14))T\(clock)Z"
        let word = ["tea", "café", "räder", "日本", "say \\\"hi\\\"", "a\\tb"][number(0..<6)]
        return """
            {"id":"\(identifier())","event_type":"page.viewed","user_id":"\(identifier())","created_at":"\(time)",\
            "payload":{"page":{"path":"/p/\(number(0..<100_000))/\(word)","ref":"https://ex.org/\(hex(8))"},\
            "device":{"os":"android","v":"\(number(1..<20)).\(number(0..<10))","w":\(number(360..<1920))},\
            "ab":["x\(number(0..<8))","y\(number(0..<8))"],"ms":\(number(0..<20_000)),\
            "value":\(number(1..<1000)).\(number(10..<100)),"ok":true,"sid":"\(hex(16))"}}

            """
    }
}

/// Sebastiano Vigna's SplitMix64: good enough, and repeatable.
private struct SplitMix: RandomNumberGenerator {
    var state: UInt64

    mutating func next() -> UInt64 {
        state &+= 0x9E37_79B9_7F4A_7C15
        var mixed = state
        mixed = (mixed ^ (mixed >> 30)) &* 0xBF58_476D_1CE4_E5B9
        mixed = (mixed ^ (mixed >> 27)) &* 0x94D0_49BB_1331_11EB
        return mixed ^ (mixed >> 31)
    }
}
