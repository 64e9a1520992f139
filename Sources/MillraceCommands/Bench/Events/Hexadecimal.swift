/// Hexadecimal digits at fixed places.
enum Hexadecimal {
    /// Writes the low `digits` × 4 bits of `value`, lower case, the highest first.
    @inline(__always)
    static func write(_ value: UInt64, digits: Int, to target: UnsafeMutableRawPointer) {
        var rest = value
        for index in stride(from: digits - 1, through: 0, by: -1) {
            let nibble = UInt8(truncatingIfNeeded: rest & 0xF)
            target.storeBytes(of: nibble &+ (nibble < 10 ? 48 : 87), toByteOffset: index, as: UInt8.self)
            rest >>= 4
        }
    }
}
