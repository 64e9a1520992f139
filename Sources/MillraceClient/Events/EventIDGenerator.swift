internal import FoundationEssentials

/// Makes UUIDs of version 7 (RFC 9562): 48 bits of milliseconds, and behind them a counter and chance.
///
/// 1. Within one millisecond ids ascend, for as many as 2,048 at least: the 12 bits behind the version count, and begin below
///    half of what they hold.
/// 2. 62 bits are chance in every id, so that two processes never make the same one.
struct EventIDGenerator {
    private static let counterMax: UInt16 = 0x0FFF
    private static let counterStartMax: UInt16 = 0x07FF

    private var lastMilliseconds: UInt64?
    private var counter: UInt16 = 0

    /// `milliseconds` since 1970, of which the lower 48 bits are kept.
    mutating func next(milliseconds: UInt64, using random: inout some RandomNumberGenerator) -> UUID {
        if lastMilliseconds == milliseconds, counter < Self.counterMax {
            counter += 1
        } else {
            lastMilliseconds = milliseconds
            counter = UInt16.random(in: 0...Self.counterStartMax, using: &random)
        }
        let high = milliseconds << 16 | 0x7000 | UInt64(counter)
        let low = 0b10 << 62 | random.next() >> 2
        let (first, second) = (Self.bytes(high), Self.bytes(low))
        return UUID(
            uuid: (
                first[0], first[1], first[2], first[3], first[4], first[5], first[6], first[7],
                second[0], second[1], second[2], second[3], second[4], second[5], second[6], second[7]
            ))
    }

    private static func bytes(_ word: UInt64) -> [UInt8] {
        (0..<8).map { UInt8(truncatingIfNeeded: word >> (56 - 8 * $0)) }
    }
}
