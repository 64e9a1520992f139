/// SplitMix64's mixing function: what an event holds is a function of the seed and its number, so that the same seed
/// gives the same events whatever the connections and their timing.
enum EventHash {
    private static let step: UInt64 = 0x9E37_79B9_7F4A_7C15

    /// 64 bits for `number`; `lane` tells several draws for the same number apart.
    @inline(__always)
    static func mix(_ seed: UInt64, _ number: UInt64, lane: UInt64) -> UInt64 {
        var mixed = seed &+ (number &* 4 &+ lane &+ 1) &* step
        mixed = (mixed ^ mixed >> 30) &* 0xBF58_476D_1CE4_E5B9
        mixed = (mixed ^ mixed >> 27) &* 0x94D0_49BB_1331_11EB
        return mixed ^ mixed >> 31
    }
}
