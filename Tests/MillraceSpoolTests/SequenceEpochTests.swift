import MillraceEvent
import Testing

@testable import MillraceSpool

@Suite struct SequenceEpochTests {
    private func first(_ microseconds: Int64, after known: UInt64, seed: UInt64) -> UInt64 {
        var generator = SeededRandom(state: seed)
        return SequenceEpoch(at: Timestamp(microseconds: microseconds)).firstSequence(after: known, using: &generator)
    }

    @Test func `two copies that start in the same millisecond begin apart`() {
        let now: Int64 = 1_794_700_800_000_000
        #expect(first(now, after: 500, seed: 1) != first(now, after: 500, seed: 2))
    }

    @Test func `a later start is ahead of all that an earlier one gives out until then`() {
        let now: Int64 = 1_794_700_800_000_000
        // A million lines a second, for a day.
        let end = first(now, after: 1, seed: 1) + 86_400 * 1_000_000
        #expect(first(now + 86_400 * 1_000_000, after: 1, seed: 2) > end)
    }

    @Test func `starts that follow each other at once are in the clock's order, whichever copy they are of`() {
        let now: Int64 = 1_794_700_800_000_000
        let begun = first(now, after: 1, seed: 1)
        let newer = first(now + 1_000_000, after: begun + 100, seed: 2)
        let older = first(now + 2_000_000, after: begun + 100, seed: 3)
        #expect(begun < newer && newer < older)
    }

    @Test(arguments: [0, -1, Int64.min, 1_577_836_800_000_000])
    func `a clock before 2020 leaves a random step from what is known`(microseconds: Int64) {
        let sequence = first(microseconds, after: 1 << 58, seed: 3)
        #expect(sequence > 1 << 58 && sequence <= 1 << 58 + 1 << 40)
        #expect(sequence != first(microseconds, after: 1 << 58, seed: 4))
    }

    @Test func `a clock far ahead leaves room`() {
        #expect(first(.max, after: 1, seed: 5) < 1 << 62)
    }
}
