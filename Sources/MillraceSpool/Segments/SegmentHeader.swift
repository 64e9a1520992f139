package import MillraceEvent

/// The first bytes of each segment. Little endian, 64 bytes, written and synchronized before any record:
///
/// | offset | size | field |
/// | ---: | ---: | --- |
/// | 0 | 4 | magic `MSEG` |
/// | 4 | 4 | CRC32C of bytes 8 ..< 64 |
/// | 8 | 4 | version, 2; 1 is read too, and has no gap 3 |
/// | 12 | 4 | why sequences were left out before this segment (`Gap`) |
/// | 16 | 16 | spool id, network order |
/// | 32 | 8 | segment number |
/// | 40 | 8 | sequence of the first line of the first record |
/// | 48 | 8 | sequence after the last line of the segment before |
/// | 56 | 8 | valid end of the segment before, in bytes; 0 for the first segment |
///
/// Records (`RecordHeader`) follow without padding, their sequences without a gap: sequences are left out between
/// segments only. Each run of a daemon begins a segment of its own at a fresh sequence (`SequenceEpoch`), gap 3. A Millrace
/// from before version 2 refuses the spool, since it would take the sequences between two runs for lost lines.
///
/// What lies after the valid end of the segment before was never acknowledged and is never read: so a
/// group whose write or sync failed can't come back to life after its sender was told that it was not kept.
package struct SegmentHeader: Sendable, Equatable {
    package static let byteCount = 64
    static let magic: UInt32 = 0x4745_534D  // "MSEG" in little endian
    static let version: UInt32 = 2

    /// Why `previousEndSequence ..< firstSequence` is on no disk.
    package enum Gap: UInt32, Sendable {
        case none = 0
        /// Given to a group that failed and was answered so: never acknowledged. (In version 1 also: kept clear of a
        /// torn tail.)
        case burnt = 1
        /// Version 1 only: the ledger knew higher sequences than the spool; what was there is lost.
        case raised = 2
        /// A run of a daemon begins with this segment: no line ever had these sequences.
        case epoch = 3
    }

    package var gap: Gap
    package var spoolID: UniqueID
    package var number: UInt64
    package var firstSequence: UInt64
    package var previousEndSequence: UInt64
    package var previousEndBytes: Int

    package init(
        spoolID: UniqueID, number: UInt64, firstSequence: UInt64, previousEndSequence: UInt64, previousEndBytes: Int,
        gap: Gap
    ) {
        self.spoolID = spoolID
        self.number = number
        self.firstSequence = firstSequence
        self.previousEndSequence = previousEndSequence
        self.previousEndBytes = previousEndBytes
        self.gap = gap
    }

    /// What the first bytes of a file turn out to be.
    enum Decoded {
        case header(SegmentHeader)
        case newerVersion(UInt32)
        case damaged
    }

    static func decode(_ bytes: UnsafeRawBufferPointer) -> Decoded {
        guard bytes.count >= byteCount, bytes.load32(0) == magic,
            bytes.load32(4) == Checksum.crc32c(UnsafeRawBufferPointer(rebasing: bytes[8..<byteCount]))
        else { return .damaged }
        guard (1...version).contains(bytes.load32(8)) else { return .newerVersion(bytes.load32(8)) }
        guard let gap = Gap(rawValue: bytes.load32(12)), let spoolID = UniqueID(bytes: bytes[16..<32]),
            let previousEndBytes = Int(exactly: bytes.load64(56))
        else { return .damaged }
        return .header(
            SegmentHeader(
                spoolID: spoolID, number: bytes.load64(32), firstSequence: bytes.load64(40),
                previousEndSequence: bytes.load64(48), previousEndBytes: previousEndBytes, gap: gap))
    }

    /// The `byteCount` bytes to write.
    func encoded() -> [UInt8] {
        var header = [UInt8](repeating: 0, count: Self.byteCount)
        header.withUnsafeMutableBytes { bytes in
            bytes.store32(Self.magic, 0)
            bytes.store32(Self.version, 8)
            bytes.store32(gap.rawValue, 12)
            bytes[16..<32].copyBytes(from: spoolID.bytes)
            bytes.store64(number, 32)
            bytes.store64(firstSequence, 40)
            bytes.store64(previousEndSequence, 48)
            bytes.store64(UInt64(previousEndBytes), 56)
            bytes.store32(Checksum.crc32c(UnsafeRawBufferPointer(rebasing: bytes[8...])), 4)
        }
        return header
    }
}

extension SegmentHeader {
    /// The header and the size of an open segment file.
    static func read(from file: FileID, _ fileSystem: any FileSystem)
        throws(FileSystemError) -> (decoded: Decoded, fileBytes: Int)
    {
        let buffer = UnsafeMutableRawBufferPointer.allocate(byteCount: byteCount, alignment: 8)
        defer { buffer.deallocate() }
        let count = try fileSystem.readAll(into: buffer, from: file, at: 0)
        return (decode(UnsafeRawBufferPointer(rebasing: buffer[..<count])), try fileSystem.size(of: file))
    }
}
