/// Bytes as text without padding, in the alphabet of RFC 4648, section 5.
package enum Base64URL {
    private static let digits = Array("ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_".utf8)
    /// 0xFF: no digit. The alphabet of section 4 is read, too.
    private static let values: [UInt8] = {
        var values = [UInt8](repeating: 0xFF, count: 256)
        for (value, digit) in digits.enumerated() { values[Int(digit)] = UInt8(value) }
        values[Int(UInt8(ascii: "+"))] = 62
        values[Int(UInt8(ascii: "/"))] = 63
        return values
    }()

    static func append(_ bytes: some Collection<UInt8>, to out: inout [UInt8]) {
        out += text(bytes)
    }

    package static func text(_ bytes: some Collection<UInt8>) -> [UInt8] {
        let length = (bytes.count * 4 + 2) / 3
        return [UInt8](unsafeUninitializedCapacity: length) { out, count in
            digits.withUnsafeBufferPointer { digits in
                var bits: UInt32 = 0
                var bitCount: UInt32 = 0
                func put(_ value: UInt32) {
                    out.initializeElement(at: count, to: digits[Int(value & 63)])
                    count += 1
                }
                for byte in bytes {
                    bits = bits << 8 | UInt32(byte)
                    bitCount += 8
                    while bitCount >= 6 {
                        bitCount -= 6
                        put(bits >> bitCount)
                    }
                }
                if bitCount > 0 { put(bits << (6 - bitCount)) }
            }
        }
    }

    /// Nil where a byte is no digit, or what is left over of the last one says something.
    package static func bytes(_ text: some Collection<UInt8>) -> [UInt8]? {
        var out: [UInt8] = []
        out.reserveCapacity(text.count * 3 / 4)
        var bits: UInt32 = 0
        var count = 0
        for digit in text {
            let value = values[Int(digit)]
            guard value != 0xFF else { return nil }
            bits = bits << 6 | UInt32(value)
            count += 6
            if count >= 8 {
                count -= 8
                out.append(UInt8(truncatingIfNeeded: bits >> UInt32(count)))
            }
        }
        guard count < 6, bits & (1 << UInt32(count) - 1) == 0 else { return nil }
        return out
    }
}
