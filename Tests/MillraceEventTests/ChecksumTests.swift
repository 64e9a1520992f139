import MillraceTestSupport
import CChecksum
import MillraceEvent
import Testing

@Suite struct ChecksumTests {
    /// RFC 3720 appendix B.4, and the check value of the CRC catalogue.
    @Test(
        arguments: [
            (Array("123456789".utf8), 0xE306_9283), ([UInt8](repeating: 0, count: 32), 0x8A91_36AA),
            ([UInt8](repeating: 0xFF, count: 32), 0x62A8_AB43), (Array(0..<32), 0x46DD_794E),
            (Array((0..<32).reversed()), 0x113F_DB5C), ([], 0),
        ] as [([UInt8], UInt32)])
    func `known values come out`(bytes: [UInt8], checksum: UInt32) {
        #expect(bytes.withUnsafeBytes { Checksum.crc32c($0) } == checksum)
        #expect(bytes.withUnsafeBytes { crc32c_extend_portable(0, $0.baseAddress, $0.count) } == checksum)
    }

    @Test func `processor and table agree, at every alignment and in parts`() {
        let seed = UInt64.random(in: 0...UInt64.max)
        print("checksum seed \(seed)")
        var random = SeededGenerator(seed: seed)
        let bytes = (0..<300).map { _ in UInt8.random(in: 0...255, using: &random) }
        bytes.withUnsafeBytes { bytes in
            for start in 0..<16 {
                for end in start...bytes.count {
                    let part = UnsafeRawBufferPointer(rebasing: bytes[start..<end])
                    let middle = Int.random(in: 0...part.count, using: &random)
                    let first = crc32c_extend(0, part.baseAddress, middle)
                    let whole = crc32c_extend_portable(0, part.baseAddress, part.count)
                    #expect(crc32c_extend(0, part.baseAddress, part.count) == whole, "seed \(seed)")
                    let rest = part.baseAddress.map { crc32c_extend(first, $0 + middle, part.count - middle) }
                    #expect(rest == whole, "seed \(seed)")
                }
            }
        }
    }

    @Test(arguments: [3071, 3072, 3073, 6144, 6151, 100_000])
    func `processor and table agree on long runs, which go in three streams`(_ count: Int) {
        var random = SeededGenerator(seed: UInt64(count))
        let bytes = (0..<count).map { _ in UInt8.random(in: 0...255, using: &random) }
        bytes.withUnsafeBytes { bytes in
            #expect(
                crc32c_extend(7, bytes.baseAddress, count) == crc32c_extend_portable(7, bytes.baseAddress, count))
        }
    }
}
