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
