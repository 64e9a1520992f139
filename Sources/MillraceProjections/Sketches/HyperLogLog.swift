internal import CMillrace

/// How many distinct values there were, in a few bytes: exact up to 1,024, then with a standard error of 0.81 %.
///
/// What it holds depends only on the set of values, not on their order, repeats, or how they were merged. It is a list of
/// hashes until there are more than `exactMax`, then 2^14 registers: of the values whose hash starts with the 14 bits of
/// the register's number, the largest count of leading zeros in the other 50 bits, plus 1; 0: none.
///
/// Tables keep it in rows, as `SketchChunk` says. A table without chunks has it whole:
///
/// ```
/// offset  size      field
///      0     1      1: hashes, 2: registers of version 1, 3: registers
///      1  8 × n     hashes, ascending, big endian
///      1  65536     version 1: a byte for each of 2^16 registers, over 16 and 48 bits of the hash; they are folded when read
///      1  12288     6 bits for each register, as `PackedRegisters` has them
/// ```
/// The hash is XXH64 with seed 0 of: a uuid's 16 bytes, an integer's or a time's binary form, a text's UTF-8, a JSON
/// scalar's text.
package struct HyperLogLog: Sendable, Equatable {
    /// Distinct values up to which the count is exact.
    package static let exactMax = 1024

    static let registerBits = 14
    static let registerCount = 1 << registerBits
    /// Bits that a register looks at.
    private static let valueBits = 64 - registerBits
    /// The largest value of a register.
    static let rankMax = UInt8(valueBits + 1)

    private enum Form {
        static let hashes: UInt8 = 1
        static let wideRegisters: UInt8 = 2
        static let registers: UInt8 = 3
    }

    /// Ascending; empty once there are registers.
    private(set) var hashes: [UInt64] = []
    /// Empty while there are hashes.
    private(set) var registers: [UInt8] = []

    /// Of no values.
    package init() {}

    /// Of a whole sketch's bytes; nil for anything else.
    package init?(bytes: UnsafeRawBufferPointer) {
        guard let form = bytes.first else { return nil }
        let rest = UnsafeRawBufferPointer(rebasing: bytes.dropFirst())
        switch form {
        case Form.hashes:
            guard rest.count / 8 <= Self.exactMax, let hashes = Self.hashes(rest) else { return nil }
            self.hashes = hashes
        case Form.wideRegisters:
            guard let registers = Self.folded(wideRegisters: rest) else { return nil }
            self.registers = registers
        case Form.registers:
            guard rest.count == PackedRegisters.byteCount(Self.registerCount),
                let registers = PackedRegisters.unpack(rest)
            else { return nil }
            self.registers = registers
        default: return nil
        }
    }

    package init?(bytes: [UInt8]) {
        guard let sketch = bytes.withUnsafeBytes({ Self(bytes: $0) }) else { return nil }
        self = sketch
    }

    /// The whole sketch's.
    package var bytes: [UInt8] {
        isExact ? [Form.hashes] + Self.bytes(of: hashes) : [Form.registers] + PackedRegisters.pack(registers)
    }

    /// The chunks that hold it, by their number.
    package var chunks: [(number: Int, bytes: [UInt8])] { StoredSketch.chunks(of: self) }

    /// Whether the count is the exact number.
    package var isExact: Bool { registers.isEmpty }

    /// Ascending hashes, big endian; nil when they aren't that.
    static func hashes(_ bytes: UnsafeRawBufferPointer) -> [UInt64]? {
        guard bytes.count % 8 == 0 else { return nil }
        var hashes: [UInt64] = []
        hashes.reserveCapacity(bytes.count / 8)
        for offset in stride(from: 0, to: bytes.count, by: 8) {
            let hash = UInt64(bigEndian: bytes.loadUnaligned(fromByteOffset: offset, as: UInt64.self))
            if let last = hashes.last, last >= hash { return nil }
            hashes.append(hash)
        }
        return hashes
    }

    static func bytes(of hashes: some Collection<UInt64>) -> [UInt8] {
        var bytes: [UInt8] = []
        bytes.reserveCapacity(hashes.count * 8)
        for hash in hashes { withUnsafeBytes(of: hash.bigEndian) { bytes += $0 } }
        return bytes
    }

    /// Registers of version 1 as those of this one: the same values give the same. Four of them, whose numbers differ in
    /// the last two bits, are one here, and those two bits stand before the 48 that they looked at: they hold the first 1,
    /// or add two zeros.
    private static func folded(wideRegisters bytes: UnsafeRawBufferPointer) -> [UInt8]? {
        let (wideBits, wideRankMax) = (16, UInt8(64 - 16 + 1))
        guard bytes.count == 1 << wideBits, bytes.allSatisfy({ $0 <= wideRankMax }) else { return nil }
        return (0..<registerCount).map { index in
            let first = index << (wideBits - registerBits)
            if bytes[first] > 0 { return bytes[first] + 2 }
            if bytes[first + 1] > 0 { return 2 }
            return bytes[first + 2] > 0 || bytes[first + 3] > 0 ? 1 : 0
        }
    }

    /// The hash of a value's bytes, by which sketches count it: XXH64 with seed 0.
    package static func hash(_ bytes: UnsafeRawBufferPointer) -> UInt64 {
        mr_xxh64(bytes.baseAddress?.assumingMemoryBound(to: UInt8.self), bytes.count)
    }

    /// Counts the value with this `hash`, if it was not counted before.
    package mutating func insert(hash: UInt64) {
        insert(CollectionOfOne(hash))
    }

    /// Returns whether that changed anything.
    @discardableResult
    package mutating func insert(_ new: some Collection<UInt64>) -> Bool {
        guard isExact else { return raise(new) }
        // Sorting many costs more than looking for repeats first.
        guard new.count > Self.exactMax * 2 else { return union(Array(new).sorted()) }
        let distinct = Set(new)
        guard distinct.count > Self.exactMax else { return union(distinct.sorted()) }
        raiseToRegisters()
        raise(distinct)
        return true
    }

    /// Adds the values of `other`. Returns whether that changed anything.
    @discardableResult
    package mutating func merge(_ other: HyperLogLog) -> Bool {
        other.isExact ? insert(other.hashes) : merge(registers: other.registers, from: 0)
    }

    /// Adds a table's row; `chunk`: nil of a table without chunks. Returns false, and adds nothing, when it can't be
    /// understood.
    package mutating func merge(row bytes: UnsafeRawBufferPointer, chunk number: Int?) -> Bool {
        guard let number else {
            guard let whole = HyperLogLog(bytes: bytes) else { return false }
            merge(whole)
            return true
        }
        guard let chunk = SketchChunk(number: number, bytes: bytes) else { return false }
        merge(chunk, number: number)
        return true
    }

    mutating func merge(_ chunk: SketchChunk, number: Int) {
        switch chunk {
        case .hashes(let hashes): insert(hashes)
        case .registers(let registers): merge(registers: registers, from: number * SketchChunk.registerCount)
        }
    }

    /// Adds the values of registers from the number `first` on.
    @discardableResult
    private mutating func merge(registers other: [UInt8], from first: Int) -> Bool {
        var changed: UInt8 = isExact ? 1 : 0
        if isExact { raiseToRegisters() }
        registers.withUnsafeMutableBufferPointer { mine in
            other.withUnsafeBufferPointer { theirs in
                for index in theirs.indices {
                    let old = mine[first + index]
                    let new = max(old, theirs[index])
                    changed |= old ^ new
                    mine[first + index] = new
                }
            }
        }
        return changed != 0
    }

    /// Whether adding `hash` would change nothing.
    func contains(_ hash: UInt64) -> Bool {
        guard isExact else { return registers[Self.register(of: hash)] >= Self.rank(of: hash) }
        let place = Self.place(of: hash, in: hashes)
        return place < hashes.count && hashes[place] == hash
    }

    /// Where `hash` stands in `hashes`, or would.
    static func place(of hash: UInt64, in hashes: [UInt64]) -> Int {
        var range = 0..<hashes.count
        while !range.isEmpty {
            let middle = range.lowerBound + range.count / 2
            range = hashes[middle] < hash ? middle + 1..<range.upperBound : range.lowerBound..<middle
        }
        return range.lowerBound
    }

    /// How many distinct values there were: the exact number up to `exactMax`.
    ///
    /// The estimator of O. Ertl, "New cardinality estimation algorithms for HyperLogLog sketches" (2017), algorithm 6:
    /// it needs no table of corrections and is unbiased over the whole range.
    package var estimate: Double {
        if isExact { return Double(hashes.count) }
        var counts = [Int](repeating: 0, count: Self.valueBits + 2)
        for register in registers { counts[Int(register)] += 1 }
        let registerCount = Double(Self.registerCount)
        var sum = registerCount * Self.tau(1 - Double(counts[Self.valueBits + 1]) / registerCount)
        for rank in stride(from: Self.valueBits, to: 0, by: -1) { sum = 0.5 * (sum + Double(counts[rank])) }
        sum += registerCount * Self.sigma(Double(counts[0]) / registerCount)
        return 0.721_347_520_444_481_7 * registerCount * registerCount / sum  // 1 / (2 ln 2)
    }

    /// `estimate` as a whole number.
    package var count: Int { Int(estimate.rounded()) }

    /// `new` ascends.
    private mutating func union(_ new: [UInt64]) -> Bool {
        var all: [UInt64] = []
        all.reserveCapacity(hashes.count + new.count)
        var (mine, theirs) = (0, 0)
        while mine < hashes.count || theirs < new.count {
            let next: UInt64
            if theirs == new.count || mine < hashes.count && hashes[mine] <= new[theirs] {
                next = hashes[mine]
                mine += 1
            } else {
                next = new[theirs]
                theirs += 1
            }
            if all.last != next { all.append(next) }
        }
        let isChanged = all.count > hashes.count
        hashes = all
        if hashes.count > Self.exactMax { raiseToRegisters() }
        return isChanged
    }

    private mutating func raiseToRegisters() {
        registers = [UInt8](repeating: 0, count: Self.registerCount)
        raise(hashes)
        hashes = []
    }

    @discardableResult
    private mutating func raise(_ new: some Collection<UInt64>) -> Bool {
        registers.withUnsafeMutableBufferPointer { registers in
            var isChanged = false
            for hash in new {
                let (index, rank) = (Self.register(of: hash), Self.rank(of: hash))
                if registers[index] < rank {
                    registers[index] = rank
                    isChanged = true
                }
            }
            return isChanged
        }
    }

    private static func register(of hash: UInt64) -> Int { Int(hash >> UInt64(valueBits)) }

    private static func rank(of hash: UInt64) -> UInt8 {
        // The bit after the 50 ends the count.
        let rest = hash << UInt64(registerBits) | 1 << UInt64(registerBits - 1)
        return UInt8(truncatingIfNeeded: rest.leadingZeroBitCount + 1)
    }

    private static func sigma(_ start: Double) -> Double {
        guard start < 1 else { return .infinity }
        var (power, factor, sum) = (start, 1.0, start)
        while true {
            power *= power
            let next = sum + power * factor
            if next == sum { return sum }
            (sum, factor) = (next, factor * 2)
        }
    }

    private static func tau(_ start: Double) -> Double {
        guard start > 0, start < 1 else { return 0 }
        var (root, factor, sum) = (start, 1.0, 1 - start)
        while true {
            root = root.squareRoot()
            factor *= 0.5
            let next = sum - (1 - root) * (1 - root) * factor
            if next == sum { return sum / 3 }
            sum = next
        }
    }
}
