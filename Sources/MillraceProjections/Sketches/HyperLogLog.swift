/// How many distinct values there were, in a few bytes: exact up to 1,024, then with a standard error of 0.41 %.
///
/// What it holds depends only on the set of values, not on their order, repeats, or how they were merged. It is a list of
/// hashes until there are more than `exactMax`, then 2^16 registers.
///
/// ```
/// offset  size      field
///      0     1      1: hashes, 2: registers
///      1  8 × n     hashes, ascending, big endian
///      1  65536     registers: of the values whose hash starts with the 16 bits of the register's number, the largest
///                   count of leading zeros in the other 48 bits, plus 1; 0: none
/// ```
/// The hash is XXH64 with seed 0 of: a uuid's 16 bytes, an integer's or a time's binary form, a text's UTF-8, a JSON
/// scalar's text.
package struct HyperLogLog: Sendable, Equatable {
    /// Distinct values up to which the count is exact.
    package static let exactMax = 1024

    private static let registerBits = 16
    private static let registerCount = 1 << registerBits
    /// Bits that a register looks at.
    private static let valueBits = 64 - registerBits

    private enum Form {
        static let hashes: UInt8 = 1
        static let registers: UInt8 = 2
    }

    /// Ascending; empty once there are registers.
    private var hashes: [UInt64] = []
    /// Empty while there are hashes.
    private var registers: [UInt8] = []

    /// Of no values.
    package init() {}

    /// Of `bytes` as `bytes` gave them; nil for anything else.
    package init?(bytes: UnsafeRawBufferPointer) {
        switch bytes.first {
        case Form.hashes:
            guard (bytes.count - 1) % 8 == 0, (bytes.count - 1) / 8 <= Self.exactMax else { return nil }
            hashes.reserveCapacity((bytes.count - 1) / 8)
            for offset in stride(from: 1, to: bytes.count, by: 8) {
                let hash = UInt64(bigEndian: bytes.loadUnaligned(fromByteOffset: offset, as: UInt64.self))
                if let last = hashes.last, last >= hash { return nil }
                hashes.append(hash)
            }
        case Form.registers:
            guard bytes.count == 1 + Self.registerCount else { return nil }
            registers = Array(bytes.dropFirst())
            guard registers.allSatisfy({ Int($0) <= Self.valueBits + 1 }) else { return nil }
        default: return nil
        }
    }

    package init?(bytes: [UInt8]) {
        guard let sketch = bytes.withUnsafeBytes({ Self(bytes: $0) }) else { return nil }
        self = sketch
    }

    /// For the column `sketch`.
    package var bytes: [UInt8] {
        if !registers.isEmpty { return [Form.registers] + registers }
        var bytes = [Form.hashes]
        bytes.reserveCapacity(1 + hashes.count * 8)
        for hash in hashes { withUnsafeBytes(of: hash.bigEndian) { bytes += $0 } }
        return bytes
    }

    package static func hash(_ bytes: UnsafeRawBufferPointer) -> UInt64 { XXHash64.hash(bytes) }

    package mutating func insert(hash: UInt64) {
        insert(CollectionOfOne(hash))
    }

    /// Returns whether that changed anything.
    @discardableResult
    package mutating func insert(_ new: some Collection<UInt64>) -> Bool {
        guard registers.isEmpty else { return raise(new) }
        // Sorting many costs more than looking for repeats first.
        guard new.count > Self.exactMax * 2 else { return union(Array(new).sorted()) }
        let distinct = Set(new)
        guard distinct.count > Self.exactMax else { return union(distinct.sorted()) }
        raiseToRegisters()
        raise(distinct)
        return true
    }

    /// Adds what `other` has seen. Returns whether that changed anything.
    @discardableResult
    package mutating func merge(_ other: HyperLogLog) -> Bool {
        if other.registers.isEmpty { return insert(other.hashes) }
        var changed: UInt8 = registers.isEmpty ? 1 : 0
        if registers.isEmpty { raiseToRegisters() }
        registers.withUnsafeMutableBufferPointer { mine in
            other.registers.withUnsafeBufferPointer { theirs in
                for index in 0..<Self.registerCount {
                    let old = mine[index]
                    let new = max(old, theirs[index])
                    changed |= old ^ new
                    mine[index] = new
                }
            }
        }
        return changed != 0
    }

    /// How many distinct values there were: the exact number up to `exactMax`.
    ///
    /// The estimator of O. Ertl, "New cardinality estimation algorithms for HyperLogLog sketches" (2017), algorithm 6:
    /// it needs no table of corrections and is unbiased over the whole range.
    package var estimate: Double {
        if registers.isEmpty { return Double(hashes.count) }
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
                let index = Int(hash >> UInt64(Self.valueBits))
                // The bit behind the 48 ends the count.
                let rest = hash << UInt64(Self.registerBits) | 1 << UInt64(Self.registerBits - 1)
                let rank = UInt8(truncatingIfNeeded: rest.leadingZeroBitCount + 1)
                if registers[index] < rank {
                    registers[index] = rank
                    isChanged = true
                }
            }
            return isChanged
        }
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
