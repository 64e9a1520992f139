internal import CZlib
internal import FoundationEssentials
internal import Histogram

/// HdrHistogram's encoding V2, which its implementations in every language read.
///
/// Compressed form, big endian: cookie `0x1c849314` (4 bytes), length of what follows (4), a zlib stream of the plain
/// form. Plain form, big endian:
///
/// | offset | size | field |
/// | ---: | ---: | --- |
/// | 0 | 4 | cookie `0x1c849313` |
/// | 4 | 4 | length of the counts in bytes |
/// | 8 | 4 | normalizing index offset: 0 |
/// | 12 | 4 | significant digits |
/// | 16 | 8 | lowest discernible value |
/// | 24 | 8 | highest trackable value |
/// | 32 | 8 | conversion ratio of integers to floating point: 1.0 |
/// | 40 | | counts from slot 0 to the last that is not zero |
///
/// A count is a ZigZag LEB128 number of at most 9 bytes (the ninth holds 8 bits); a run of `n` zeros is the number `-n`.
/// Source: `AbstractHistogram.encodeIntoByteBuffer` and `ZigZagEncoding` of HdrHistogram 2.1 for Java.
enum HistogramEncoding {
    private static let plainCookie: UInt32 = 0x1c84_9303 | 0x10
    private static let compressedCookie: UInt32 = 0x1c84_9304 | 0x10

    /// The compressed form in base64, as it stands in a log.
    static func base64(_ histogram: LatencyHistogram) -> String {
        Data(compressed(histogram)).base64EncodedString()
    }

    static func compressed(_ histogram: LatencyHistogram) -> [UInt8] {
        let plain = plain(histogram)
        var length = compressBound(uLong(plain.count))
        let stream = [UInt8](unsafeUninitializedCapacity: Int(length)) { buffer, count in
            let status = compress2(
                buffer.baseAddress, &length, plain, uLong(plain.count), Z_DEFAULT_COMPRESSION)
            // It fails only for want of memory or room, and the room is zlib's own bound.
            precondition(status == Z_OK, "zlib could not compress a histogram: status \(status)")
            count = Int(length)
        }
        var bytes: [UInt8] = []
        bytes.append(bigEndian: compressedCookie)
        bytes.append(bigEndian: UInt32(stream.count))
        return bytes + stream
    }

    static func plain(_ histogram: LatencyHistogram) -> [UInt8] {
        let counts = counts(histogram)
        var bytes: [UInt8] = []
        bytes.reserveCapacity(40 + counts.count)
        bytes.append(bigEndian: plainCookie)
        bytes.append(bigEndian: UInt32(counts.count))
        bytes.append(bigEndian: UInt32(0))
        bytes.append(bigEndian: UInt32(histogram.numberOfSignificantValueDigits.rawValue))
        bytes.append(bigEndian: histogram.lowestDiscernibleValue)
        bytes.append(bigEndian: histogram.highestTrackableValue)
        bytes.append(bigEndian: 1.0.bitPattern)
        return bytes + counts
    }

    private static func counts(_ histogram: LatencyHistogram) -> [UInt8] {
        var bytes: [UInt8] = []
        var next = 0
        for slot in histogram.recordedSlots() {
            if slot.index > next { bytes.append(zigZag: Int64(next - slot.index)) }
            bytes.append(zigZag: Int64(clamping: slot.count))
            next = slot.index + 1
        }
        return bytes
    }
}

extension [UInt8] {
    fileprivate mutating func append<Integer: FixedWidthInteger>(bigEndian value: Integer) {
        Swift.withUnsafeBytes(of: value.bigEndian) { append(contentsOf: $0) }
    }

    mutating func append(zigZag value: Int64) {
        var rest = UInt64(bitPattern: (value << 1) ^ (value >> 63))
        for _ in 0..<8 {
            guard rest > 0x7F else { return append(UInt8(rest)) }
            append(UInt8(truncatingIfNeeded: rest) | 0x80)
            rest >>= 7
        }
        append(UInt8(rest))
    }
}
