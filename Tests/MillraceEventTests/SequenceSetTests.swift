import MillraceTestSupport
import MillraceEvent
import Testing

@Suite struct SequenceSetTests {
    @Test func `a set of ranges is the set of their numbers`() {
        let seed = UInt64.random(in: 0...UInt64.max)
        print("sequence set seed \(seed)")
        var random = SeededGenerator(seed: seed)
        for _ in 0..<200 {
            var set = SequenceSet()
            var model = Set<UInt64>()
            for _ in 0..<60 {
                let start = UInt64.random(in: 0..<60, using: &random)
                let range = start..<start + UInt64.random(in: 0..<12, using: &random)
                if Bool.random(using: &random) {
                    set.insert(range)
                    model.formUnion(range)
                } else {
                    set.remove(range)
                    model.subtract(range)
                }
                Self.check(set, model, seed)
                let probe = UInt64.random(in: 0..<70, using: &random)
                let probed = probe..<probe + UInt64.random(in: 0..<12, using: &random)
                #expect(set.contains(probed) == probed.allSatisfy { model.contains($0) }, "seed \(seed)")
                #expect(Set(set.gaps(in: probed).joined()) == Set(probed).subtracting(model), "seed \(seed)")
            }
        }
    }

    /// Same numbers, and the ranges are sorted, not empty, and don't touch.
    private static func check(_ set: SequenceSet, _ model: Set<UInt64>, _ seed: UInt64) {
        #expect(Set(set.ranges.joined()) == model, "seed \(seed)")
        #expect(set.count == UInt64(model.count) && set.isEmpty == model.isEmpty, "seed \(seed)")
        #expect(set.ranges.allSatisfy { !$0.isEmpty }, "seed \(seed)")
        #expect(zip(set.ranges, set.ranges.dropFirst()).allSatisfy { $0.upperBound < $1.lowerBound }, "seed \(seed)")
    }

    @Test func `ranges that touch become one`() {
        #expect(SequenceSet([0..<5, 10..<15, 5..<10]).ranges == [0..<15])
        #expect(SequenceSet([UInt64.max - 1..<UInt64.max]).contains(UInt64.max - 1..<UInt64.max))
    }
}
