/// A sketch and its rows, as the session that adds to it knows them.
package struct StoredSketch {
    /// What an insertion does to the rows. Both ascend.
    package struct Change: Sendable, Equatable {
        /// Rows to be written.
        package var written: [Int]
        /// Rows that are not, and that already hold some of what was inserted.
        package var kept: [Int]

        package init(written: [Int] = [], kept: [Int] = []) {
            self.written = written
            self.kept = kept
        }
    }

    /// As many hashes go into chunk 0, whatever they start with: each further row costs 100 bytes with its key and
    /// index.
    private static let firstMax = 32

    package private(set) var sketch = HyperLogLog()
    /// `ctid` and `xmin` of each row; nil: there is none.
    package var versions: [String?]
    /// Whether rows are chunks; else one row has it all.
    private let isChunked: Bool
    /// While the sketch is exact, the hashes that chunk 0 holds, ascending.
    private var first: [UInt64] = []
    /// Whether some chunk is still of hashes, though there are more than can be exact: then all are written.
    private var isMixed = false
    /// Whether some row that was read is a chunk of hashes.
    private var hasHashes = false

    /// Without rows.
    package init(isChunked: Bool) {
        self.isChunked = isChunked
        versions = [String?](repeating: nil, count: isChunked ? SketchChunk.count : 1)
    }

    /// The chunks that hold a sketch, by their number.
    static func chunks(of sketch: HyperLogLog) -> [(number: Int, bytes: [UInt8])] {
        var stored = StoredSketch(isChunked: true)
        var numbers = Array(0..<SketchChunk.count)
        if sketch.isExact { numbers = stored.insert(sketch.hashes).written } else { stored.sketch = sketch }
        return numbers.map { ($0, stored.bytes(ofRow: $0)) }
    }

    /// Adds a row that was read; of a table without chunks its number is 0. Returns false when it can't be understood.
    package mutating func add(row number: Int, bytes: UnsafeRawBufferPointer, version: String) -> Bool {
        if isChunked {
            guard let chunk = SketchChunk(number: number, bytes: bytes) else { return false }
            sketch.merge(chunk, number: number)
            if case .hashes(let hashes) = chunk {
                if number == 0 { first = hashes }
                hasHashes = true
            }
            isMixed = hasHashes && !sketch.isExact
        } else {
            guard number == 0, let whole = HyperLogLog(bytes: bytes) else { return false }
            sketch.merge(whole)
        }
        versions[number] = version
        return true
    }

    /// Inserts hashes, of which there is at least one.
    package mutating func insert(_ new: [UInt64]) -> Change {
        guard isChunked else {
            let isChanged = sketch.insert(new)
            return isChanged || versions[0] == nil ? Change(written: [0]) : Change(kept: [0])
        }
        var isWritten = [Bool](repeating: false, count: SketchChunk.count)
        var isKept = isWritten
        var fresh: [UInt64] = []
        for hash in new {
            if sketch.contains(hash) { isKept[row(of: hash)] = true } else { fresh.append(hash) }
        }
        let wasExact = sketch.isExact
        sketch.insert(fresh)
        if sketch.isExact {
            for hash in Set(fresh).sorted() {
                let isFirst = first.count < Self.firstMax || SketchChunk.number(of: hash) == 0
                if isFirst { first.insert(hash, at: HyperLogLog.place(of: hash, in: first)) }
                isWritten[isFirst ? 0 : SketchChunk.number(of: hash)] = true
            }
        } else if wasExact || isMixed {
            (first, isMixed, hasHashes) = ([], false, false)
            isWritten = [Bool](repeating: true, count: SketchChunk.count)
        } else {
            for hash in fresh { isWritten[SketchChunk.number(of: hash)] = true }
        }
        return Change(
            written: isWritten.indices.filter { isWritten[$0] },
            kept: isKept.indices.filter { isKept[$0] && !isWritten[$0] })
    }

    /// What the row of this number is to hold.
    package func bytes(ofRow number: Int) -> [UInt8] {
        guard isChunked else { return sketch.bytes }
        guard sketch.isExact else {
            let start = number * SketchChunk.registerCount
            return SketchChunk.registers(Array(sketch.registers[start..<start + SketchChunk.registerCount])).bytes
        }
        if number == 0 { return SketchChunk.hashes(first).bytes }
        let range = SketchChunk.range(of: number)
        let start = HyperLogLog.place(of: range.lowerBound, in: sketch.hashes)
        let own = sketch.hashes[start...].prefix { $0 <= range.upperBound }
        return SketchChunk.hashes(own.filter { !isFirst($0) }).bytes
    }

    /// The row that holds a hash that is in the sketch.
    private func row(of hash: UInt64) -> Int {
        sketch.isExact && isFirst(hash) ? 0 : SketchChunk.number(of: hash)
    }

    private func isFirst(_ hash: UInt64) -> Bool {
        let place = HyperLogLog.place(of: hash, in: first)
        return place < first.count && first[place] == hash
    }
}
