/// Ids of imported events, which sort them where their times don't.
///
/// Of one time they sort by rank, a number that the record has in every export, so that of two users with one name the
/// first holds it: the first 40 bits of a UUID of version 8, whose others are the start of the content's hash.
///
/// Of what is older than the daemon takes, and so is dated younger, they sort by the time when it was so:
///
/// | bits | what |
/// | --- | --- |
/// | 0 ... 3 | 0 |
/// | 4 ... 47, 52 ... 63 | microseconds since the beginning of year 0 (UTC), 56 bits |
/// | 48 ... 51 | 8, the version |
/// | 64 ... 66 | 111, a variant that RFC 9562 gives to no UUID, so that no other one is taken for one of these |
/// | 67 ... 74 | `0x4D` |
/// | 75 ... 90 | the rank as a number with 5 bits of exponent and 11 of mantissa |
/// | 91 ... 127 | the start of the content's hash, 37 bits |
package enum DatedIdentity {
    /// 0000-01-01T00:00:00Z, in microseconds since 1970.
    private static let origin: Int64 = -62_167_219_200_000_000
    private static let mark: UInt64 = 0b111 << 61 | 0x4D << 53
    private static let markMask: UInt64 = 0xFFE0_0000_0000_0000

    private static let rankMax: UInt64 = 1 << 40 - 1

    /// `rank`: 0 where the record has none.
    package static func id(rank: Int64, of parts: [[UInt8]]) -> UniqueID {
        let hash = ContentIdentity.id(of: parts)
        return UniqueID(high: clamped(rank) << 24 | hash.high & 0xFF_FFFF, low: hash.low)
    }

    /// For an old record. nil for a time beyond the years 0 ... 2282.
    package static func id(at time: Timestamp, rank: Int64, of parts: [[UInt8]]) -> UniqueID? {
        let (distance, isTooLarge) = time.microseconds.subtractingReportingOverflow(origin)
        guard !isTooLarge, distance >= 0, distance < 1 << 56 else { return nil }
        let bits = UInt64(distance)
        let hash = ContentIdentity.id(of: parts)
        return UniqueID(
            high: (bits >> 12) << 16 | 0x8000 | bits & 0xFFF,
            low: mark | short(clamped(rank)) << 37 | hash.low & (1 << 37 - 1))
    }

    private static func clamped(_ rank: Int64) -> UInt64 { min(UInt64(max(0, rank)), rankMax) }

    /// In 16 bits: exact below 4096, and of at most 2^40 - 1 in its order.
    private static func short(_ rank: UInt64) -> UInt64 {
        let shift = max(0, rank.bitWidth - rank.leadingZeroBitCount - 12)
        guard shift > 0 else { return rank < 2048 ? rank : 1 << 11 | rank & 0x7FF }
        return UInt64(shift + 1) << 11 | rank >> UInt64(shift) & 0x7FF
    }

    /// Regular expression of PostgreSQL's for the text of these ids.
    package static let pattern = "^0.{7}-.{4}-8.{3}-e9[ab]"

    /// The time in an id, in microseconds since 2000; nil for any other UUID.
    @inline(__always)
    package static func microseconds(high: UInt64, low: UInt64) -> Int64? {
        guard high & 0xF000_0000_0000_F000 == 0x8000, low & markMask == mark else { return nil }
        return Int64((high >> 16) << 12 | high & 0xFFF) + origin - Timestamp.postgresEpoch
    }
}
