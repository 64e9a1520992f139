package import MillraceEvent

/// Where a run of a daemon begins to number its lines: at a sequence that no other run of any copy of this spool has given
/// out, without asking anyone. So an older copy of a spool, or a second one on another host, never gives a sequence twice.
///
/// 41 bits of milliseconds since 2020, then 20 random ones: a run gives out fewer than 2^20 sequences a millisecond, so a
/// later start is ahead of all earlier ones. Where the clock is behind what is known, a random step from that.
package struct SequenceEpoch: Sendable {
    private static let epochMilliseconds: Int64 = 1_577_836_800_000
    private static let millisecondsMax: UInt64 = 1 << 41 - 1
    private static let randomBits: UInt64 = 20
    private static let stepMax: UInt64 = 1 << 40

    private let milliseconds: UInt64

    /// `now`: the time of the start.
    package init(at now: Timestamp) {
        let elapsed = now.microseconds / 1000 - Self.epochMilliseconds
        milliseconds = min(UInt64(max(0, elapsed)), Self.millisecondsMax)
    }

    /// The first sequence of a run on a spool whose own next one would be `known`; above it, and below 2^62.
    func firstSequence(after known: UInt64, using generator: inout some RandomNumberGenerator) -> UInt64 {
        let timed = milliseconds << Self.randomBits | UInt64.random(in: 0..<1 << Self.randomBits, using: &generator)
        return timed > known ? timed : known + UInt64.random(in: 1..<Self.stepMax, using: &generator)
    }
}
