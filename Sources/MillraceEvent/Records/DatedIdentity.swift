/// Ids that say when something was so, for what is older than the daemon takes: such events are dated younger, and their
/// order is that of their ids.
///
/// | bits | what |
/// | --- | --- |
/// | 0 ... 3 | 0 |
/// | 4 ... 47, 52 ... 63 | microseconds since the beginning of year 0 (UTC), 56 bits |
/// | 48 ... 51 | 8, the version |
/// | 64 ... 66 | 111, a variant that RFC 9562 gives to no UUID, so that no other one is taken for one of these |
/// | 67 ... 74 | `0x4D` |
/// | 75 ... 127 | the start of the content's hash, 53 bits |
package enum DatedIdentity {
    /// 0000-01-01T00:00:00Z, in microseconds since 1970.
    private static let origin: Int64 = -62_167_219_200_000_000
    private static let mark: UInt64 = 0b111 << 61 | 0x4D << 53
    private static let markMask: UInt64 = 0xFFE0_0000_0000_0000

    /// Ids of the same time are of one order, which the content decides. nil for a time beyond the years 0 ... 2282.
    package static func id(at time: Timestamp, of parts: [[UInt8]]) -> UniqueID? {
        let (distance, isTooLarge) = time.microseconds.subtractingReportingOverflow(origin)
        guard !isTooLarge, distance >= 0, distance < 1 << 56 else { return nil }
        let bits = UInt64(distance)
        let hash = ContentIdentity.id(of: parts)
        return UniqueID(
            high: (bits >> 12) << 16 | 0x8000 | bits & 0xFFF, low: mark | hash.low & ~markMask)
    }

    /// The time in an id, in microseconds since 2000; nil for any other UUID.
    @inline(__always)
    package static func microseconds(high: UInt64, low: UInt64) -> Int64? {
        guard high & 0xF000_0000_0000_F000 == 0x8000, low & markMask == mark else { return nil }
        return Int64((high >> 16) << 12 | high & 0xFFF) + origin - Timestamp.postgresEpoch
    }
}
