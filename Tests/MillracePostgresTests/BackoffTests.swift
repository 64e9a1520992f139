import MillracePostgres
import Testing

struct BackoffTests {
    @Test func `each wait is drawn from a tenth to the whole of a range that doubles up to the longest`() {
        var generator = CountingGenerator()
        let ranges: [Duration] = [100, 200, 400, 800, 1600, 3000, 3000, 3000].map { .milliseconds($0) }
        var drawn = ranges.map { _ in [Duration]() }
        for _ in 0..<500 {
            var backoff = Backoff(min: .milliseconds(100), max: .seconds(3))
            for index in ranges.indices { drawn[index].append(backoff.next(using: &generator)) }
        }
        for (waits, range) in zip(drawn, ranges) {
            #expect(waits.allSatisfy { $0 >= range * 0.0999 && $0 <= range })
            #expect(waits.contains { $0 < range * 0.2 } && waits.contains { $0 > range * 0.9 })
        }
    }

    @Test func `a success starts over`() {
        var backoff = Backoff(min: .milliseconds(100), max: .seconds(3))
        for _ in 0..<100 { _ = backoff.next() }
        #expect(backoff.attempts == 100)
        backoff.reset()
        #expect(backoff.next() <= .milliseconds(100))
    }

    /// SplitMix64 from 1: the same numbers in every run.
    private struct CountingGenerator: RandomNumberGenerator {
        private var state: UInt64 = 1

        mutating func next() -> UInt64 {
            state &+= 0x9E37_79B9_7F4A_7C15
            var mixed = state
            mixed = (mixed ^ (mixed >> 30)) &* 0xBF58_476D_1CE4_E5B9
            mixed = (mixed ^ (mixed >> 27)) &* 0x94D0_49BB_1331_11EB
            return mixed ^ (mixed >> 31)
        }
    }
}
