internal import CChecksum

/// A run of lines of one kind that came in together: what the intake hands on and the spool writes down.
package struct Record: Sendable {
    /// Largest payload of one record. A reader holds one record whole, so this bounds its memory; a run is cut here.
    package static let payloadBytesMax = 1 << 20

    package var kind: RecordKind
    package var tenant: Int32
    package var receivedAt: Timestamp
    /// Number of lines in `bytes`, at least 1.
    package var count: Int
    /// The lines as they came, each ended by one `\n`; NDJSON. At most `payloadBytesMax` bytes, unless `count` is 1.
    package var bytes: [UInt8]

    package init(kind: RecordKind, tenant: Int32, receivedAt: Timestamp, count: Int, bytes: [UInt8]) {
        self.kind = kind
        self.tenant = tenant
        self.receivedAt = receivedAt
        self.count = count
        self.bytes = bytes
    }
}

/// What the lines of one record are; raw values stand on disk.
package enum RecordKind: UInt8, Sendable, CaseIterable, CustomStringConvertible {
    /// Analytics events, for `analytics_events`.
    case event = 1
    /// Conversation saves, for `conversations`.
    case conversation = 2
    /// Lines that were refused on a connection that asked for no answers, for `dead_letters`.
    case refused = 3

    /// The metric tag and log value.
    package var description: String {
        switch self {
        case .event: "event"
        case .conversation: "conversation"
        case .refused: "refused"
        }
    }
}

/// The header in front of each record's payload in a segment. Little endian, 48 bytes:
///
/// | offset | size | field |
/// | ---: | ---: | --- |
/// | 0 | 4 | magic `MREC` |
/// | 4 | 4 | CRC32C of bytes 8 ..< 48 |
/// | 8 | 4 | payload length in bytes |
/// | 12 | 4 | CRC32C of the payload |
/// | 16 | 8 | sequence of the first line |
/// | 24 | 4 | count of lines |
/// | 28 | 1 | kind (`RecordKind`) |
/// | 29 | 3 | zero |
/// | 32 | 8 | received at, microseconds since the Unix epoch |
/// | 40 | 4 | tenant |
/// | 44 | 4 | zero |
///
/// The header has a checksum of its own so that a walk over a segment needs no payload, and so that a
/// flipped bit in the length is seen before anything is allocated.
package struct RecordHeader: Sendable, Equatable {
    package static let byteCount = 48
    package static let magic: UInt32 = 0x4345_524D  // "MREC" in little endian

    package var payloadBytes: Int
    package var payloadChecksum: UInt32
    package var firstSequence: UInt64
    package var count: Int
    package var kind: RecordKind
    package var receivedAt: Timestamp
    package var tenant: Int32

    /// Header for `record` at `firstSequence`; computes the payload's checksum.
    package init(of record: Record, firstSequence: UInt64) {
        payloadBytes = record.bytes.count
        payloadChecksum = record.bytes.withUnsafeBytes { Checksum.crc32c($0) }
        self.firstSequence = firstSequence
        count = record.count
        kind = record.kind
        receivedAt = record.receivedAt
        tenant = record.tenant
    }

    /// Decodes and verifies the first `byteCount` bytes of `bytes`; nil when they are no intact header.
    package init?(decoding bytes: UnsafeRawBufferPointer) {
        guard bytes.count >= Self.byteCount, bytes.load32(0) == Self.magic,
            bytes.load32(4) == Checksum.crc32c(UnsafeRawBufferPointer(rebasing: bytes[8..<Self.byteCount])),
            let kind = RecordKind(rawValue: bytes[28])
        else { return nil }
        payloadBytes = Int(bytes.load32(8))
        payloadChecksum = bytes.load32(12)
        firstSequence = bytes.load64(16)
        count = Int(bytes.load32(24))
        self.kind = kind
        receivedAt = Timestamp(microseconds: Int64(bitPattern: bytes.load64(32)))
        tenant = Int32(bitPattern: bytes.load32(40))
    }

    /// Writes `byteCount` bytes to the start of `destination`.
    package func encode(into destination: UnsafeMutableRawBufferPointer) {
        precondition(destination.count >= Self.byteCount, "a record header takes \(Self.byteCount) bytes")
        destination.store32(Self.magic, 0)
        destination.store32(UInt32(payloadBytes), 8)
        destination.store32(payloadChecksum, 12)
        destination.store64(firstSequence, 16)
        destination.store32(UInt32(count), 24)
        destination.store32(UInt32(kind.rawValue), 28)
        destination.store64(UInt64(bitPattern: receivedAt.microseconds), 32)
        destination.store32(UInt32(bitPattern: tenant), 40)
        destination.store32(0, 44)
        let covered = UnsafeRawBufferPointer(rebasing: destination[8..<Self.byteCount])
        destination.store32(Checksum.crc32c(covered), 4)
    }

    /// Sequences of the record's lines.
    package var sequences: Range<UInt64> { firstSequence..<firstSequence + UInt64(count) }
}

/// CRC-32C (Castagnoli), by processor instruction where there is one.
package enum Checksum {
    /// Of all of `bytes`; 0 for none. Formats.md says which bytes a record's and a header's checksum cover.
    package static func crc32c(_ bytes: UnsafeRawBufferPointer) -> UInt32 {
        crc32c_extend(0, bytes.baseAddress, bytes.count)
    }
}

extension UnsafeRawBufferPointer {
    /// The little-endian number at `offset` in bytes, which need not be aligned. All 4 bytes must be inside.
    package func load32(_ offset: Int) -> UInt32 {
        UInt32(littleEndian: loadUnaligned(fromByteOffset: offset, as: UInt32.self))
    }

    /// The same of 8 bytes.
    package func load64(_ offset: Int) -> UInt64 {
        UInt64(littleEndian: loadUnaligned(fromByteOffset: offset, as: UInt64.self))
    }
}

extension UnsafeMutableRawBufferPointer {
    /// Writes `value` in little endian at `offset` in bytes, which need not be aligned. All 4 bytes must be inside.
    package func store32(_ value: UInt32, _ offset: Int) {
        storeBytes(of: value.littleEndian, toByteOffset: offset, as: UInt32.self)
    }

    /// The same of 8 bytes.
    package func store64(_ value: UInt64, _ offset: Int) {
        storeBytes(of: value.littleEndian, toByteOffset: offset, as: UInt64.self)
    }
}
