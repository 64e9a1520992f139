import MillraceProjections
import MillraceTestSupport
import Testing

struct HyperLogLogTests {
    private static func hash(_ text: String) -> UInt64 {
        Array(text.utf8).withUnsafeBytes { HyperLogLog.hash($0) }
    }

    private static func sketch(_ hashes: some Collection<UInt64>) -> HyperLogLog {
        var sketch = HyperLogLog()
        sketch.insert(hashes)
        return sketch
    }

    /// The specification's own vectors, and one of each way through the code.
    @Test(
        arguments: [
            ("", 0xEF46_DB37_51D8_E999), ("a", 0xD24E_C4F1_A98C_6E5B), ("abc", 0x44BC_2CF5_AD77_0999),
            ("Nobody inspects the spammish repetition", 0xFBCE_A83C_8A37_8BF1),
        ] as [(String, UInt64)])
    func `the hash is XXH64`(text: String, expected: UInt64) {
        #expect(Self.hash(text) == expected)
    }

    @Test(arguments: [0, 1, 2, 100, 1023, 1024])
    func `few values are counted exactly, however often they come`(count: Int) {
        var generator = SeededGenerator(seed: UInt64(count))
        let hashes = (0..<count).map { _ in generator.next() }
        var sketch = Self.sketch(hashes)
        sketch.insert(hashes.shuffled(using: &generator))
        #expect(sketch.count == count)
        #expect(sketch.bytes.count == 1 + 8 * count)
    }

    @Test(arguments: [1, 2, 3, 4, 5, 6, 7, 8] as [UInt64])
    func `the error is below 3 % from the first registers to a million`(seed: UInt64) {
        var generator = SeededGenerator(seed: seed)
        var sketch = HyperLogLog()
        var inserted = 0
        for target in [1025, 5000, 20_000, 100_000, 200_000, 400_000, 1_000_000] {
            sketch.insert((inserted..<target).map { _ in generator.next() })
            inserted = target
            let error = abs(sketch.estimate / Double(target) - 1)
            #expect(error <= 0.03, "seed \(seed), \(target) values: \(sketch.estimate)")
        }
    }

    @Test(arguments: [(10, 20), (700, 700), (10, 3000), (5000, 3000)])
    func `merging is idempotent, commutative and associative`(first: Int, second: Int) {
        var generator = SeededGenerator(seed: 42)
        let shared = (0..<5).map { _ in generator.next() }
        let one = Self.sketch(shared + (0..<first).map { _ in generator.next() })
        let two = Self.sketch(shared + (0..<second).map { _ in generator.next() })
        let three = Self.sketch((0..<1500).map { _ in generator.next() })
        func merged(_ sketches: HyperLogLog...) -> HyperLogLog {
            var all = HyperLogLog()
            for sketch in sketches { all.merge(sketch) }
            return all
        }
        #expect(merged(one, two) == merged(two, one))
        #expect(merged(merged(one, two), three) == merged(one, merged(two, three)))
        var twice = merged(one, two)
        #expect(!twice.merge(one) && !twice.merge(two) && twice == merged(one, two))
        #expect(merged(one) == one)
    }

    @Test func `one by one, at once and in parts give the same registers`() {
        var generator = SeededGenerator(seed: 7)
        let hashes = (0..<6000).map { _ in generator.next() }
        var slowly = HyperLogLog()
        for hash in hashes { slowly.insert(hash: hash) }
        let atOnce = Self.sketch(hashes)
        var inParts = Self.sketch(hashes[..<1000])
        inParts.merge(Self.sketch(hashes[900...]))
        #expect(slowly == atOnce && inParts == atOnce)
    }

    @Test(arguments: [0, 1, 1024, 1025, 20_000])
    func `bytes are read back`(count: Int) {
        var generator = SeededGenerator(seed: 3)
        let sketch = Self.sketch((0..<count).map { _ in generator.next() })
        #expect(HyperLogLog(bytes: sketch.bytes) == sketch)
    }

    @Test func `the errors of many sketches cancel each other out`() {
        var sum = 0.0
        for seed in 100..<140 as Range<UInt64> {
            var generator = SeededGenerator(seed: seed)
            sum += Self.sketch((0..<20_000).map { _ in generator.next() }).estimate / 20_000 - 1
        }
        // The standard error of the mean is 0.13 %.
        #expect(abs(sum / 40) < 0.005)
    }

    @Test(arguments: [0, 1, 3, 1025, 20_000, 300_000])
    func `registers of version 1 are folded into what the same values give today`(count: Int) throws {
        var generator = SeededGenerator(seed: 12)
        var hashes = (0..<count).map { _ in generator.next() }
        // The longest runs of zeros, after each ending of a register's number.
        for ending in 0..<4 as Range<UInt64> where count > 1024 {
            hashes += [1000 << 50 | ending << 48, 1001 << 50 | ending << 48 | 1, 3 << 50 | ending << 48 | 1 << 47]
        }
        var expected = Self.sketch(hashes)
        // Few values had no registers then: one that has them is merged with the registers of those.
        let wide = try #require(HyperLogLog(bytes: WideSketch.bytes(of: hashes)))
        #expect(!wide.isExact)
        expected.merge(try #require(HyperLogLog(bytes: WideSketch.bytes(of: []))))
        #expect(wide == expected)
        #expect(HyperLogLog(bytes: wide.bytes) == wide)
    }

    @Test func `registers take 12 KiB`() {
        var generator = SeededGenerator(seed: 4)
        let sketch = Self.sketch((0..<5000).map { _ in generator.next() })
        #expect(sketch.bytes.count == 1 + 12_288)
        #expect(sketch.chunks.map(\.bytes.count) == [Int](repeating: 192, count: 64))
    }

    @Test(
        arguments: [
            [], [3], [4], [1, 0], [2, 0], [1] + [UInt8](repeating: 0, count: 16),
            [2] + [UInt8](repeating: 50, count: 65536),
            [3] + [UInt8](repeating: 255, count: 12_288),
        ] as [[UInt8]])
    func `bytes that are no sketch are refused`(bytes: [UInt8]) {
        #expect(HyperLogLog(bytes: bytes) == nil)
    }
}
