/// A row of a sketch: a 64th of it, so that a batch writes little where little changes.
///
/// ```
/// offset  size   field
///      0     1   3: hashes
///      1  8 × n  hashes, ascending, big endian
/// ```
/// or 192 bytes, which are 256 registers as `PackedRegisters` has them. A chunk's hashes start with the 6 bits of its
/// number; those of chunk 0 are also the first ones that came, so that a sketch of few values is one row. There are
/// registers only in a sketch of more than `HyperLogLog.exactMax` values.
enum SketchChunk: Equatable {
    case hashes([UInt64])
    case registers([UInt8])

    static let count = 64
    static let registerCount = HyperLogLog.registerCount / count
    /// Of a chunk of registers. No chunk of hashes has as many: it has one more than a multiple of 8.
    private static let packedCount = PackedRegisters.byteCount(registerCount)
    private static let numberBits = 6
    private static let hashesForm: UInt8 = 3

    /// Nil when `bytes` are no chunk, or not the one of this number.
    init?(number: Int, bytes: UnsafeRawBufferPointer) {
        guard 0..<Self.count ~= number else { return nil }
        if bytes.count == Self.packedCount {
            guard let registers = PackedRegisters.unpack(bytes) else { return nil }
            self = .registers(registers)
        } else {
            guard bytes.first == Self.hashesForm,
                let hashes = HyperLogLog.hashes(UnsafeRawBufferPointer(rebasing: bytes.dropFirst())),
                hashes.count <= HyperLogLog.exactMax,
                number == 0 || hashes.allSatisfy({ Self.number(of: $0) == number })
            else { return nil }
            self = .hashes(hashes)
        }
    }

    /// For the column `sketch`.
    var bytes: [UInt8] {
        switch self {
        case .hashes(let hashes): [Self.hashesForm] + HyperLogLog.bytes(of: hashes)
        case .registers(let registers): PackedRegisters.pack(registers)
        }
    }

    /// The chunk that `hash` belongs to.
    static func number(of hash: UInt64) -> Int { Int(hash >> UInt64(64 - numberBits)) }

    /// The hashes that belong to a chunk.
    static func range(of number: Int) -> ClosedRange<UInt64> {
        let first = UInt64(number) << UInt64(64 - numberBits)
        return first...first | UInt64.max >> UInt64(numberBits)
    }
}

/// Registers in 6 bits each: four in three bytes, the first in the highest bits.
enum PackedRegisters {
    /// Of `count` registers, a multiple of 4.
    static func byteCount(_ count: Int) -> Int { count / 4 * 3 }

    static func pack(_ registers: some RandomAccessCollection<UInt8>) -> [UInt8] {
        [UInt8](unsafeUninitializedCapacity: byteCount(registers.count)) { bytes, count in
            var group: UInt32 = 0
            for (index, register) in registers.enumerated() {
                group = group << 6 | UInt32(register)
                guard index % 4 == 3 else { continue }
                for shift in [16, 8, 0] as [UInt32] {
                    bytes[count] = UInt8(truncatingIfNeeded: group >> shift)
                    count += 1
                }
            }
        }
    }

    /// Nil when a register is larger than one can be. `bytes`: a multiple of 3.
    static func unpack(_ bytes: UnsafeRawBufferPointer) -> [UInt8]? {
        var largest: UInt8 = 0
        let registers = [UInt8](unsafeUninitializedCapacity: bytes.count / 3 * 4) { registers, count in
            for offset in stride(from: 0, to: bytes.count, by: 3) {
                let (first, second, third) = (bytes[offset], bytes[offset + 1], bytes[offset + 2])
                registers[count] = first >> 2
                registers[count + 1] = (first & 3) << 4 | second >> 4
                registers[count + 2] = (second & 15) << 2 | third >> 6
                registers[count + 3] = third & 63
                for index in count..<count + 4 { largest = max(largest, registers[index]) }
                count += 4
            }
        }
        return largest <= HyperLogLog.rankMax ? registers : nil
    }
}
