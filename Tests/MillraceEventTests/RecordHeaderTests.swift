import MillraceEvent
import Testing

@Suite struct RecordHeaderTests {
    private static let record = Record(
        kind: .conversation, tenant: -7, receivedAt: Timestamp(microseconds: -1), count: 2,
        bytes: Array("{}\n{}\n".utf8))

    private static func encoded() -> [UInt8] {
        var bytes = [UInt8](repeating: 0xAA, count: RecordHeader.byteCount)
        bytes.withUnsafeMutableBytes { RecordHeader(of: record, firstSequence: UInt64.max - 5).encode(into: $0) }
        return bytes
    }

    @Test func `a header is read as it was written`() {
        let header = Self.encoded().withUnsafeBytes { RecordHeader(decoding: $0) }
        #expect(header == RecordHeader(of: Self.record, firstSequence: UInt64.max - 5))
        #expect(header?.tenant == -7 && header?.receivedAt.microseconds == -1 && header?.payloadBytes == 6)
        #expect(header?.sequences == UInt64.max - 5..<UInt64.max - 3)
    }

    @Test func `a header with any bit flipped is no header`() {
        for bit in 0..<RecordHeader.byteCount * 8 {
            var bytes = Self.encoded()
            bytes[bit / 8] ^= 1 << (bit % 8)
            #expect(bytes.withUnsafeBytes { RecordHeader(decoding: $0) } == nil, "bit \(bit)")
        }
    }

    @Test func `a part of a header is no header`() {
        for count in 0..<RecordHeader.byteCount {
            #expect(Self.encoded().prefix(count).withUnsafeBytes { RecordHeader(decoding: $0) } == nil)
        }
        #expect([UInt8](repeating: 0, count: 64).withUnsafeBytes { RecordHeader(decoding: $0) } == nil)
    }
}
