import MillraceProjections
import MillraceTestSupport
import Testing

struct StoredSketchTests {
    private static func hashes(_ count: Int, seed: UInt64 = 1) -> [UInt64] {
        var generator = SeededGenerator(seed: seed)
        return (0..<count).map { _ in generator.next() }
    }

    private static func whole(_ hashes: [UInt64]) -> HyperLogLog {
        var sketch = HyperLogLog()
        sketch.insert(hashes)
        return sketch
    }

    /// What a table holds, by row; written as the changes say and nothing else.
    private struct Table {
        var rows: [Int: [UInt8]] = [:]

        mutating func write(_ change: StoredSketch.Change, of stored: StoredSketch) {
            for row in change.written { rows[row] = stored.bytes(ofRow: row) }
        }

        /// As another session reads it.
        func read(_ versions: [Int: String] = [:]) throws -> StoredSketch {
            var stored = StoredSketch(isChunked: true)
            for (row, bytes) in rows.shuffled() {
                let isRead = bytes.withUnsafeBytes { stored.add(row: row, bytes: $0, version: versions[row] ?? "v") }
                try #require(isRead)
            }
            return stored
        }
    }

    @Test(arguments: [1, 2, 7, 64, 500])
    func `rows hold what was inserted, whatever the batches, also for a session that reads them`(size: Int) throws {
        let hashes = Self.hashes(3000)
        var table = Table()
        var stored = StoredSketch(isChunked: true)
        for start in stride(from: 0, to: hashes.count, by: size) {
            // Some of what was there before comes again.
            let batch = Array(hashes[max(0, start - 3)..<min(start + size, hashes.count)])
            if start % 5 == 0 { stored = try table.read() }
            table.write(stored.insert(batch), of: stored)
            if start % 50 < size {
                let expected = Self.whole(Array(hashes[..<min(start + size, hashes.count)]))
                #expect(try table.read().sketch == expected)
                #expect(stored.sketch == expected)
            }
        }
        #expect(try table.read().sketch == Self.whole(hashes))
        #expect(table.rows.values.reduce(0) { $0 + $1.count } == 12_288)
    }

    @Test func `few values are in one row, and what is there already writes nothing`() {
        let hashes = Self.hashes(1024)
        var stored = StoredSketch(isChunked: true)
        #expect(stored.insert(Array(hashes[..<32])) == .init(written: [0], kept: []))
        #expect(stored.insert(Array(hashes[..<32])) == .init(written: [], kept: [0]))
        #expect(stored.insert(Array(hashes[32...])).written.count > 60)
        let again = stored.insert(hashes)
        #expect(again.written == [] && again.kept.count > 60)
        #expect(stored.sketch.isExact && stored.sketch.count == 1024)
    }

    @Test func `one value more than can be exact writes all rows, the next one at most one`() {
        let hashes = Self.hashes(1030)
        var stored = StoredSketch(isChunked: true)
        _ = stored.insert(Array(hashes[..<1024]))
        #expect(stored.insert([hashes[1024]]).written == Array(0..<64))
        for hash in hashes[1025...] {
            let change = stored.insert([hash])
            #expect(change.written.count + change.kept.count == 1)
        }
    }

    @Test func `rows of two sessions that were exact alone are settled by the next write`() throws {
        let hashes = Self.hashes(1100)
        var table = Table()
        var one = StoredSketch(isChunked: true)
        table.write(one.insert(Array(hashes[..<1000])), of: one)
        // Two sessions that know the same rows write different ones.
        var two = one
        func own(_ chunks: Range<UInt64>) -> [UInt64] {
            hashes[1000...].filter { chunks.contains($0 >> 58) }.prefix(24).map { $0 }
        }
        let (low, high) = (own(1..<32), own(32..<64))
        table.write(one.insert(low), of: one)
        table.write(two.insert(high), of: two)
        let expected = Self.whole(hashes[..<1000] + low + high)
        #expect(!expected.isExact)
        var read = try table.read()
        #expect(read.sketch == expected)
        let change = read.insert([low[0]])
        #expect(change.written == Array(0..<64))
        table.write(change, of: read)
        #expect(try table.read().sketch == expected)
        #expect(table.rows.values.allSatisfy { $0.count == 192 })
    }

    @Test(arguments: [0, 1, 32, 33, 1024, 1025, 30_000])
    func `chunks are read back, in any order and beside others`(count: Int) {
        let sketch = Self.whole(Self.hashes(count))
        var read = HyperLogLog()
        for (number, bytes) in sketch.chunks.reversed() {
            #expect(bytes.withUnsafeBytes { read.merge(row: $0, chunk: number) })
        }
        #expect(read == sketch)
        let other = Self.whole(Self.hashes(700, seed: 2))
        var both = sketch
        both.merge(other)
        for (number, bytes) in other.chunks { #expect(bytes.withUnsafeBytes { read.merge(row: $0, chunk: number) }) }
        #expect(read == both)
    }

    @Test(
        arguments: [
            (0, []), (0, [1]), (0, [3, 0]), (0, [3] + [UInt8](repeating: 0, count: 16)), (64, [3]), (-1, [3]),
            (1, [3] + [UInt8](repeating: 0, count: 8)), (0, [UInt8](repeating: 255, count: 192)),
            (0, [UInt8](repeating: 0, count: 191)), (0, HyperLogLog().bytes), (0, WideSketch.bytes(of: [])),
        ] as [(Int, [UInt8])])
    func `rows that are no chunk are refused`(number: Int, bytes: [UInt8]) {
        var sketch = HyperLogLog()
        #expect(!bytes.withUnsafeBytes { sketch.merge(row: $0, chunk: number) })
        #expect(sketch == HyperLogLog())
    }

    @Test func `a sketch in one row is written when it changes, and widened rows are read`() throws {
        let hashes = Self.hashes(2000)
        var stored = StoredSketch(isChunked: false)
        let bytes = WideSketch.bytes(of: hashes[..<1500])
        #expect(bytes.withUnsafeBytes { stored.add(row: 0, bytes: $0, version: "v") })
        #expect(stored.insert(Array(hashes[..<1500])) == .init(written: [], kept: [0]))
        #expect(stored.insert(Array(hashes[1500...])) == .init(written: [0], kept: []))
        #expect(HyperLogLog(bytes: stored.bytes(ofRow: 0)) == Self.whole(hashes))
    }
}
