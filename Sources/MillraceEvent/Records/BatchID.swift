/// The `batch_id` of a batch's rows and of its ledger row: 41 bits of milliseconds since 2020-01-01T00:00:00Z (until
/// 2089), then 22 bits from the spool's id and the first sequence. Ascending in time and unique without a sequence in
/// the database, so that many daemons need not meet.
package enum BatchID {
    private static let epochMilliseconds: Int64 = 1_577_836_800_000
    private static let dayMilliseconds: Int64 = 86_400_000
    /// Of the spool's id and the sequence.
    private static let mixedBits = 22

    /// The id of the batch that is made at `now` and begins with `firstSequence` of this spool. No randomness is in it.
    package static func make(spool: UniqueID, firstSequence: UInt64, at now: Timestamp) -> Int64 {
        let mixed = mix(spool.high ^ mix(spool.low ^ mix(firstSequence)))
        return first(at: now) | Int64(mixed >> 42)
    }

    /// The lowest id that a batch made at `time` can have; 0 for what is before 2020.
    package static func first(at time: Timestamp) -> Int64 {
        let milliseconds = UInt64(max(0, time.microseconds / 1000 - epochMilliseconds)) & (1 << 41 - 1)
        return Int64(milliseconds << mixedBits)
    }

    /// When the batch was made, to the millisecond.
    package static func time(of batchID: Int64) -> Timestamp {
        Timestamp(microseconds: (batchID >> mixedBits + epochMilliseconds) * 1000)
    }

    /// The day (UTC) in which the batch was made, since 2020-01-01.
    package static func day(of batchID: Int64) -> Int64 {
        (batchID >> mixedBits) / dayMilliseconds
    }

    /// The finalizer of splitmix64: every output bit depends on every input bit.
    private static func mix(_ value: UInt64) -> UInt64 {
        var mixed = value &+ 0x9E37_79B9_7F4A_7C15
        mixed = (mixed ^ mixed >> 30) &* 0xBF58_476D_1CE4_E5B9
        mixed = (mixed ^ mixed >> 27) &* 0x94D0_49BB_1331_11EB
        return mixed ^ mixed >> 31
    }
}
